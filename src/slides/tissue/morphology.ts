/** Pixels that are 1 or 0, row by row. */
export interface Bitmap {
  data: Uint8Array;
  width: number;
  height: number;
}

/** 1 wherever a square of `2 radius + 1` pixels around the pixel holds a 1. */
export function dilate(bitmap: Bitmap, radius: number): Bitmap {
  return radius > 0 ? spread(bitmap, radius, 1) : bitmap;
}

/** 1 wherever a square of `2 radius + 1` pixels around the pixel holds only 1; what lies outside counts as 1. */
function erode(bitmap: Bitmap, radius: number): Bitmap {
  return radius > 0 ? spread(bitmap, radius, 0) : bitmap;
}

/** Fills gaps narrower than `2 radius` pixels. */
export function closeGaps(bitmap: Bitmap, radius: number): Bitmap {
  return erode(dilate(bitmap, radius), radius);
}

/** Each `value` takes the pixels within `radius` along rows, then along columns. */
function spread({ data, width, height }: Bitmap, radius: number, value: 0 | 1): Bitmap {
  const rows = new Uint8Array(data.length).fill(1 - value);
  for (let row = 0; row < height; row++) spreadLine(data, rows, row * width, 1, width, radius, value);
  const result = new Uint8Array(data.length).fill(1 - value);
  for (let column = 0; column < width; column++) spreadLine(rows, result, column, width, height, radius, value);
  return { data: result, width, height };
}

function spreadLine(
  from: Uint8Array,
  to: Uint8Array,
  start: number,
  step: number,
  count: number,
  radius: number,
  value: 0 | 1,
): void {
  let filled = 0;
  for (let place = 0; place < count; place++) {
    if (from[start + place * step] !== value) continue;
    const last = Math.min(count - 1, place + radius);
    for (let next = Math.max(filled, place - radius); next <= last; next++) to[start + next * step] = value;
    filled = last + 1;
  }
}

/** Sets groups of touching 1s (side by side) that have fewer than `least` pixels to 0. */
export function removeSmallAreas(bitmap: Bitmap, least: number): Bitmap {
  const data = Uint8Array.from(bitmap.data);
  forEachArea(bitmap, 1, (members) => {
    if (members.length < least) for (const pixel of members) data[pixel] = 0;
  });
  return { ...bitmap, data };
}

/** Sets groups of touching 0s that have at most `most` pixels and do not reach the image's edge to 1. */
export function fillHoles(bitmap: Bitmap, maxArea: number): Bitmap {
  const data = Uint8Array.from(bitmap.data);
  forEachArea(bitmap, 0, (members, touchesEdge) => {
    if (members.length <= maxArea && !touchesEdge) for (const pixel of members) data[pixel] = 1;
  });
  return { ...bitmap, data };
}

/** Keeps the groups of touching 1s that reach the image's edge. */
export function areasAtEdge(bitmap: Bitmap): Bitmap {
  const data = new Uint8Array(bitmap.data.length);
  forEachArea(bitmap, 1, (members, touchesEdge) => {
    if (touchesEdge) for (const pixel of members) data[pixel] = 1;
  });
  return { ...bitmap, data };
}

/** Visits each group of side-by-side pixels of one value. */
function forEachArea(
  { data, width, height }: Bitmap,
  value: 0 | 1,
  visit: (members: Int32Array, touchesEdge: boolean) => void,
): void {
  const seen = new Uint8Array(data.length);
  const members = new Int32Array(data.length);
  for (let first = 0; first < data.length; first++) {
    if (data[first] !== value || seen[first]) continue;
    seen[first] = 1;
    members[0] = first;
    let count = 1;
    let touchesEdge = false;
    const join = (pixel: number) => {
      if (data[pixel] !== value || seen[pixel]) return;
      seen[pixel] = 1;
      members[count++] = pixel;
    };
    for (let next = 0; next < count; next++) {
      const pixel = members[next]!;
      const column = pixel % width;
      const row = (pixel - column) / width;
      if (column === 0 || row === 0 || column === width - 1 || row === height - 1) touchesEdge = true;
      if (column > 0) join(pixel - 1);
      if (column < width - 1) join(pixel + 1);
      if (row > 0) join(pixel - width);
      if (row < height - 1) join(pixel + width);
    }
    visit(members.subarray(0, count), touchesEdge);
  }
}

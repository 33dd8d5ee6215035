/*
 * Boundary F1 (Csurka et al., "What is a good evaluation measure for semantic segmentation?", BMVC 2013): precision is the
 * fraction of a class's predicted boundary that lies within a tolerance of its true boundary, recall the reverse.
 *
 * A pixel is on the boundary of its class if one of its four neighbors in the image has another class; pixels of the
 * ignored value have no class, so neither they nor the image's edge make a boundary. Distances are Euclidean, between
 * centers of pixels.
 */

/** For each class: boundary pixels predicted, those of them that match, true boundary pixels, those of them that match. */
export const boundaryCounts = 4;

/** Classes of an image's pixels; the ignored value marks pixels without a class. */
export interface ClassMap {
  /** `[height, width]` */
  values: Uint8Array;
  width: number;
  height: number;
}

/** Adds an image's boundary counts to `sums`, `[classes, 4]`; both maps have the same ignored pixels. */
export function addBoundaries(
  sums: Float64Array,
  predicted: ClassMap,
  actual: ClassMap,
  { ignored, tolerance }: { ignored: number | undefined; tolerance: number },
): void {
  const near = offsetsWithin(tolerance);
  const boundaries = [boundaryOf(predicted, ignored), boundaryOf(actual, ignored)];
  for (const [side, other] of [
    [0, 1],
    [1, 0],
  ] as const) {
    const { values, width, height } = side === 0 ? predicted : actual;
    const others = side === 0 ? actual : predicted;
    for (const pixel of boundaries[side]!.pixels) {
      const label = values[pixel]!;
      const [row, column] = [Math.floor(pixel / width), pixel % width];
      const matched = near.some(([down, right]) => {
        const [y, x] = [row + down, column + right];
        if (y < 0 || y >= height || x < 0 || x >= width) return false;
        const place = y * width + x;
        return boundaries[other]!.on[place] === 1 && others.values[place] === label;
      });
      sums[label * boundaryCounts + 2 * side]!++;
      sums[label * boundaryCounts + 2 * side + 1]! += Number(matched);
    }
  }
}

/** F1 of a class from its boundary counts; null if neither side has a boundary of it. */
export function boundaryF1(sums: Float64Array, label: number): number | null {
  const [predicted, right, actual, found] = sums.subarray(label * boundaryCounts) as unknown as [
    number,
    number,
    number,
    number,
  ];
  if (predicted + actual === 0) return null;
  const precision = predicted === 0 ? 0 : right / predicted;
  const recall = actual === 0 ? 0 : found / actual;
  return precision + recall === 0 ? 0 : (2 * precision * recall) / (precision + recall);
}

function boundaryOf({ values, width, height }: ClassMap, ignored: number | undefined) {
  const on = new Uint8Array(values.length);
  const pixels: number[] = [];
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const pixel = row * width + column;
      const value = values[pixel]!;
      if (value === ignored) continue;
      const differs = (place: number) => values[place] !== value && values[place] !== ignored;
      if (
        (row > 0 && differs(pixel - width)) ||
        (row < height - 1 && differs(pixel + width)) ||
        (column > 0 && differs(pixel - 1)) ||
        (column < width - 1 && differs(pixel + 1))
      ) {
        on[pixel] = 1;
        pixels.push(pixel);
      }
    }
  }
  return { on, pixels };
}

/** Offsets of at most a distance, px, nearest first. */
function offsetsWithin(distance: number): [number, number][] {
  const reach = Math.floor(distance);
  const offsets: [number, number][] = [];
  for (let down = -reach; down <= reach; down++) {
    for (let right = -reach; right <= reach; right++) {
      if (down * down + right * right <= distance * distance) offsets.push([down, right]);
    }
  }
  return offsets.sort(([down, right], [y, x]) => down * down + right * right - (y * y + x * x));
}

import { type ClosedPath, type Path, Paths } from './paths.js';

/** A connected area of one label: pixels that have a side in common. */
export interface LabelArea {
  label: number;
  pixels: number;
  /**
   * Rings of corners, x, y, x, y ... in pixels: the outline, whose area by the shoelace formula is above 0, and its holes,
   * whose areas are below. No ring passes a corner twice, and rings touch in corners at most.
   */
  rings: Int32Array[];
}

/** Of pixels that no area is made of. */
const none = -1;

/** Neighboring pixels of one label in a row, up to `end`. */
interface Run {
  end: number;
  label: number;
  area: Area | undefined;
}

/** An area as far as it is known; it turns out to be part of another where both meet. */
interface Area extends LabelArea {
  joined?: Area;
  /** The last row that it reaches. */
  row: number;
}

/**
 * Finds the areas of a label image, row by row, and their outlines along the pixels' edges. It holds two rows and the
 * corners of areas that have not ended: memory grows with the outlines under way, not with the image.
 */
export class OutlineTracer {
  private readonly paths = new Paths();
  private above: Run[];
  private row = 0;
  /** Paths along pixels' right and left sides, at each corner of the last row's lower edge. */
  private readonly right: (Path | undefined)[];
  private readonly left: (Path | undefined)[];
  /** Paths along the edge under way: of the pixels below it, to the right, and of those above it, to the left. */
  private top: Path | undefined;
  private bottom: Path | undefined;

  /** @param traced of each label, whether its areas are wanted */
  constructor(
    private readonly width: number,
    private readonly traced: (label: number) => boolean,
  ) {
    this.above = this.emptyRow();
    this.right = new Array(width + 1).fill(undefined);
    this.left = new Array(width + 1).fill(undefined);
  }

  /**
   * @param labels of the next row, `[width]`
   * @returns areas that ended above it
   */
  add(labels: Uint8Array): LabelArea[] {
    return this.addRuns(this.runsOf(labels));
  }

  /** @returns the areas that reach the last row */
  finish(): LabelArea[] {
    return this.addRuns(this.emptyRow());
  }

  private emptyRow(): Run[] {
    return [{ end: this.width, label: none, area: undefined }, beyond];
  }

  private runsOf(labels: Uint8Array): Run[] {
    const runs: Run[] = [];
    for (let end = 0; end < this.width; ) {
      const label = labels[end]!;
      do end++;
      while (end < this.width && labels[end] === label);
      runs.push({ end, label: this.traced(label) ? label : none, area: undefined });
    }
    runs.push(beyond);
    return runs;
  }

  private addRuns(below: Run[]): LabelArea[] {
    const { above, row } = this;
    joinAreas(above, below, row);
    this.traceEdge(above, below, row);
    this.above = below;
    this.row++;
    const ended: LabelArea[] = [];
    for (const { area } of above) {
      const whole = area && areaOf(area);
      if (!whole || whole.row === row || whole.row === Infinity) continue;
      whole.row = Infinity;
      const { label, pixels, rings } = whole;
      ended.push({ label, pixels, rings: outlineFirst(rings) });
    }
    return ended;
  }

  /** Follows the edge between two rows, from corner to corner. */
  private traceEdge(above: readonly Run[], below: readonly Run[], y: number): void {
    let [nextAbove, nextBelow] = [0, 0];
    let [northwest, southwest] = [beyond, beyond];
    for (let x = 0; ; ) {
      const northeast = x === 0 || northwest.end === x ? above[nextAbove++]! : northwest;
      const southeast = x === 0 || southwest.end === x ? below[nextBelow++]! : southwest;
      this.traceCorner(x, y, [northwest, northeast, southwest, southeast]);
      if (x === this.width) break;
      [northwest, southwest] = [northeast, southeast];
      x = Math.min(northwest.end, southwest.end);
    }
  }

  /**
   * Leads paths through a corner. Paths have their area on the right: they go right along its top, down its right side, left
   * along its bottom and up its left side. Where only two pixels across from each other are of a label, each keeps its own
   * corner.
   */
  private traceCorner(x: number, y: number, pixels: readonly [Run, Run, Run, Run]): void {
    const { top, bottom } = this;
    const [right, left] = [this.right[x], this.left[x]];
    this.right[x] = undefined;
    this.left[x] = undefined;
    this.top = undefined;
    this.bottom = undefined;
    for (let first = 0; first < 4; first++) {
      const { label } = pixels[first]!;
      if (label === none) continue;
      let members = 0;
      for (let pixel = 0; pixel < 4; pixel++) if (pixels[pixel]!.label === label) members |= 1 << pixel;
      // Seen from an earlier pixel.
      if (members & ((1 << first) - 1)) continue;
      const touches = members === 0b1001 || members === 0b0110;
      for (const corner of touches ? [members & 0b0011, members & 0b1100] : [members]) {
        const join = (coming: Path | undefined, leaving: Path | undefined): Path | undefined => {
          const joined = this.paths.join(coming, leaving, x, y, touches);
          if ('path' in joined) return joined.path;
          for (const ring of simpleRings(joined.ring)) areaOf(pixels[first]!.area!).rings.push(ring);
          return undefined;
        };
        switch (corner) {
          // Bits from the lowest on: northwest, northeast, southwest, southeast.
          case 0b0001:
            join(right, bottom);
            break;
          case 0b0010:
            this.bottom = join(undefined, left);
            break;
          case 0b0100:
            this.right[x] = join(top, undefined);
            break;
          case 0b1000:
            this.left[x] = this.top = join(undefined, undefined);
            break;
          case 0b1110:
            join(top, left);
            break;
          case 0b1101:
            this.top = join(right, undefined);
            break;
          case 0b1011:
            this.left[x] = join(undefined, bottom);
            break;
          case 0b0111:
            this.bottom = this.right[x] = join(undefined, undefined);
            break;
          // Straight on, without a corner.
          case 0b0011:
            this.bottom = bottom;
            break;
          case 0b1100:
            this.top = top;
            break;
          case 0b0101:
            this.right[x] = right;
            break;
          case 0b1010:
            this.left[x] = left;
            break;
        }
      }
    }
  }
}

/** What lies on both sides of every row. */
const beyond: Run = { end: Infinity, label: none, area: undefined };

/** Gives the runs of a row their areas: those of the runs above that they touch, which become one. */
function joinAreas(above: readonly Run[], below: readonly Run[], row: number): void {
  let place = 0;
  let start = 0;
  for (const run of below) {
    if (run === beyond) break;
    if (run.label !== none) {
      for (let other = place; ; other++) {
        const upper = above[other]!;
        if (upper.label === run.label) run.area = run.area ? unite(run.area, upper.area!) : areaOf(upper.area!);
        if (upper.end >= run.end) break;
      }
      run.area ??= { label: run.label, pixels: 0, rings: [], row };
      run.area.pixels += run.end - start;
    }
    while (above[place]!.end <= run.end) place++;
    start = run.end;
  }
  for (const { area } of below) if (area) areaOf(area).row = row;
}

function areaOf(area: Area): Area {
  let whole = area;
  while (whole.joined) whole = whole.joined;
  if (area !== whole) area.joined = whole;
  return whole;
}

function unite(one: Area, other: Area): Area {
  const [first, second] = [areaOf(one), areaOf(other)];
  if (first === second) return first;
  const [larger, smaller] = first.rings.length < second.rings.length ? [second, first] : [first, second];
  larger.pixels += smaller.pixels;
  for (const ring of smaller.rings) larger.rings.push(ring);
  smaller.rings = [];
  smaller.joined = larger;
  return larger;
}

/** A ring that passes corners twice, as rings that touch there. */
function simpleRings({ corners, touches }: ClosedPath): Int32Array[] {
  if (!touches) return [corners];
  const rings: Int32Array[] = [];
  const path: number[] = [];
  /** Where in the path a corner is. */
  const places = new Map<number, number>();
  const nameOf = (x: number, y: number) => y * 2 ** 22 + x;
  for (let at = 0; at < corners.length; at += 2) {
    const [x, y] = [corners[at]!, corners[at + 1]!];
    const before = places.get(nameOf(x, y));
    if (before !== undefined) {
      const ring = Int32Array.from(path.splice(before));
      for (let place = 0; place < ring.length; place += 2) places.delete(nameOf(ring[place]!, ring[place + 1]!));
      rings.push(ring);
    }
    places.set(nameOf(x, y), path.length);
    path.push(x, y);
  }
  rings.push(Int32Array.from(path));
  return rings;
}

/** Pixels within a ring, by the shoelace formula: below 0 for a hole. */
export function ringArea(ring: Int32Array): number {
  let twice = 0;
  for (let at = 0, before = ring.length - 2; at < ring.length; before = at, at += 2) {
    twice += ring[before]! * ring[at + 1]! - ring[at]! * ring[before + 1]!;
  }
  return twice / 2;
}

function outlineFirst(rings: Int32Array[]): Int32Array[] {
  const outline = rings.findIndex((ring) => ringArea(ring) > 0);
  return [rings[outline]!, ...rings.filter((_, place) => place !== outline)];
}

import { describe, expect, it } from 'vitest';
import { key } from '../../src/base/index.js';
import { type LabelArea, OutlineTracer, ringArea } from '../../src/slides/labels/outlines.js';
import { rasterizePolygon } from '../../src/slides/labels/rasterize.js';
import { simplifyRings } from '../../src/slides/labels/simplify.js';

interface Labels {
  labels: Uint8Array;
  width: number;
  height: number;
}

function areasOf({ labels, width, height }: Labels, untraced: readonly number[] = []): LabelArea[] {
  const tracer = new OutlineTracer(width, (label) => !untraced.includes(label));
  const areas: LabelArea[] = [];
  for (let row = 0; row < height; row++) areas.push(...tracer.add(labels.subarray(row * width, (row + 1) * width)));
  return [...areas, ...tracer.finish()];
}

const drawn = (...rows: string[]): Labels => ({
  labels: Uint8Array.from(rows.join(''), Number),
  width: rows[0]!.length,
  height: rows.length,
});

const corners = (ring: Int32Array) =>
  Array.from({ length: ring.length / 2 }, (_, at) => [ring[2 * at], ring[2 * at + 1]]);

function paint(areas: readonly LabelArea[], { width, height }: Labels, background: number): Uint8Array {
  const painted = new Uint8Array(width * height).fill(background);
  for (const { label, rings } of areas) {
    const polygon = { name: '', rings: rings.map((ring) => Float64Array.from(ring)) };
    rasterizePolygon(polygon, { x: 0, y: 0, width, height, pixelSize: 1 }, label, painted);
  }
  return painted;
}

/** Areas of pixels with a side in common, by filling them one after the other. */
function filledAreas({ labels, width, height }: Labels): { label: number; pixels: number }[] {
  const seen = new Uint8Array(labels.length);
  const found: { label: number; pixels: number }[] = [];
  for (let first = 0; first < labels.length; first++) {
    if (seen[first]) continue;
    const members = [first];
    seen[first] = 1;
    for (let next = 0; next < members.length; next++) {
      const pixel = members[next]!;
      const [x, y] = [pixel % width, Math.floor(pixel / width)];
      for (const [column, row] of [
        [x - 1, y],
        [x + 1, y],
        [x, y - 1],
        [x, y + 1],
      ] as const) {
        const other = row * width + column;
        if (column < 0 || row < 0 || column >= width || row >= height || seen[other]) continue;
        if (labels[other] !== labels[first]) continue;
        seen[other] = 1;
        members.push(other);
      }
    }
    found.push({ label: labels[first]!, pixels: members.length });
  }
  return found;
}

const random = (seed: number, width: number, height: number, classes: number, grain: number): Labels => {
  const generator = key(seed).generator();
  const coarse = Math.ceil(width / grain);
  const values = Array.from({ length: coarse * Math.ceil(height / grain) }, () => generator.integer(classes));
  const labels = Uint8Array.from(
    { length: width * height },
    (_, pixel) => values[Math.floor(Math.floor(pixel / width) / grain) * coarse + Math.floor((pixel % width) / grain)]!,
  );
  return { labels, width, height };
};

describe('OutlineTracer', () => {
  it('goes around a square clockwise as it is seen, which is counterclockwise by the formula of GeoJSON', () => {
    const areas = areasOf(drawn('0000', '0110', '0110'), [0]);
    expect(areas).toEqual([{ label: 1, pixels: 4, rings: [Int32Array.of(1, 3, 1, 1, 3, 1, 3, 3)] }]);
    expect(ringArea(areas[0]!.rings[0]!)).toBe(4);
  });

  it('keeps holes, and takes pixels that touch in a corner for two areas', () => {
    const areas = areasOf(drawn('11110', '10010', '11112', '00020'), [0]);
    const ring = areas.find(({ label }) => label === 1)!;
    expect(ring.rings.map(ringArea)).toEqual([12, -2]);
    expect(areas.filter(({ label }) => label === 2).map(({ pixels }) => pixels)).toEqual([1, 1]);
  });

  it('parts an outline that meets itself in a corner into rings that touch', () => {
    const [area, ...others] = areasOf(drawn('111', '101', '110'), [0]);
    expect(area!.rings.map(ringArea)).toEqual([8, -1]);
    expect(others).toEqual([]);
  });

  it('parts holes that touch', () => {
    const [area] = areasOf(drawn('11111', '10111', '11011', '11111'), [0]);
    expect(area!.rings.map(ringArea)).toEqual([20, -1, -1]);
  });

  it.each([
    [1, 61, 47, 2, 1],
    [2, 61, 47, 3, 1],
    [3, 40, 90, 5, 1],
    [4, 97, 83, 3, 3],
    [5, 1, 30, 2, 1],
    [6, 30, 1, 3, 1],
    [7, 64, 64, 1, 1],
  ])('the outlines of labels at random hold just these labels (seed %i)', (seed, width, height, classes, grain) => {
    const image = random(seed, width, height, classes, grain);
    const areas = areasOf(image);
    expect(paint(areas, image, 99)).toEqual(image.labels);
    const bySize = (list: { label: number; pixels: number }[]) =>
      list.map(({ label, pixels }) => `${label} ${pixels}`).sort();
    expect(bySize(areas)).toEqual(bySize(filledAreas(image)));
    for (const { pixels, rings } of areas) {
      const sizes = rings.map(ringArea);
      expect(sizes[0]).toBeGreaterThan(0);
      expect(sizes.slice(1).every((size) => size < 0)).toBe(true);
      expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(pixels);
      for (const ring of rings) {
        const places = corners(ring);
        expect(new Set(places.map(String)).size).toBe(places.length);
        // Every corner turns.
        for (const [at, [x, y]] of places.entries()) {
          const [before, after] = [places.at(at - 1)!, places[(at + 1) % places.length]!];
          expect((before[0] === x) !== (after[0] === x) && (before[1] === y) !== (after[1] === y)).toBe(true);
        }
      }
    }
  });
});

describe('simplifyRings', () => {
  const disc = (radius: number): Labels => {
    const side = 2 * radius + 3;
    const labels = Uint8Array.from({ length: side * side }, (_, pixel) => {
      const [x, y] = [(pixel % side) - radius - 1, Math.floor(pixel / side) - radius - 1];
      const distance = Math.hypot(x, y);
      return distance <= radius && distance > radius / 3 ? 1 : 0;
    });
    return { labels, width: side, height: side };
  };

  it('leaves out corners, none of them farther from the outline than the tolerance', () => {
    const [area] = areasOf(disc(60), [0]);
    for (const tolerance of [1, 2, 5]) {
      const simple = simplifyRings(area!.rings, tolerance);
      expect(simple).toHaveLength(2);
      for (const [place, ring] of area!.rings.entries()) {
        expect(simple[place]!.length).toBeLessThan(ring.length / 2);
        expect(farthest(ring, simple[place]!)).toBeLessThanOrEqual(tolerance);
        expect(Math.sign(ringArea(simple[place]!))).toBe(Math.sign(ringArea(ring)));
      }
    }
  });

  it('gives the same rings for a tolerance of 0', () => {
    const [area] = areasOf(disc(9), [0]);
    expect(simplifyRings(area!.rings, 0)).toBe(area!.rings);
  });

  it('never lets lines cross, whatever the tolerance', () => {
    for (let seed = 0; seed < 30; seed++) {
      for (const { rings } of areasOf(random(seed, 40, 40, 2, 1 + (seed % 4)))) {
        for (const tolerance of [0.8, 1.5, 4]) {
          const simple = simplifyRings(rings, tolerance);
          expect(crossings(simple)).toBe(0);
          for (const [place, ring] of rings.entries()) {
            expect(Math.sign(ringArea(simple[place]!))).toBe(Math.sign(ringArea(ring)));
          }
        }
      }
    }
  });
});

type Line = readonly [number, number, number, number];
const linesOf = (ring: Int32Array): Line[] => {
  const places = corners(ring) as [number, number][];
  return places.map(([x, y], at) => [x, y, ...places[(at + 1) % places.length]!]);
};

/** Largest distance of a ring's corners from another ring's lines. */
function farthest(ring: Int32Array, other: Int32Array): number {
  const lines = linesOf(other);
  const distances = (corners(ring) as [number, number][]).map(([x, y]) =>
    Math.min(
      ...lines.map(([x0, y0, x1, y1]) => {
        const along = ((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / ((x1 - x0) ** 2 + (y1 - y0) ** 2);
        const share = Math.min(1, Math.max(0, along));
        return Math.hypot(x - x0 - share * (x1 - x0), y - y0 - share * (y1 - y0));
      }),
    ),
  );
  return Math.max(...distances);
}

/** How many pairs of lines have a point in common that is an inner one of either. */
function crossings(rings: readonly Int32Array[]): number {
  const lines = rings.flatMap(linesOf);
  const side = ([x0, y0, x1, y1]: Line, x: number, y: number) => Math.sign((x1 - x0) * (y - y0) - (y1 - y0) * (x - x0));
  const properly = (one: Line, other: Line) =>
    side(one, other[0], other[1]) * side(one, other[2], other[3]) < 0 &&
    side(other, one[0], one[1]) * side(other, one[2], one[3]) < 0;
  let count = 0;
  for (const [at, one] of lines.entries()) for (const other of lines.slice(at + 1)) if (properly(one, other)) count++;
  return count;
}

import { ringArea } from './outlines.js';

/** Below this tolerance, px, hardly a corner of an outline along pixels' edges can be left out. */
const leastTolerance = 0.5;

/** Side of the squares in which lines are looked for that may meet, px. */
const cellSide = 16;

/**
 * Leaves out corners of a polygon's rings (Douglas and Peucker, Cartographica 1973;10:112-122): none is farther than the
 * tolerance from the line that takes its place. Where lines would meet that did not, it is halved for the whole polygon, down
 * to half a pixel; below, the rings stay as they are.
 *
 * @param rings of whole px, x, y, x, y ...
 * @param tolerance px; 0 leaves out none
 */
export function simplifyRings(rings: Int32Array[], tolerance: number): Int32Array[] {
  for (let allowed = tolerance; allowed >= leastTolerance; allowed /= 2) {
    const simple = rings.map((ring) => simplifyRing(ring, allowed));
    const keepSides = simple.every((ring, place) => ringArea(ring) * ringArea(rings[place]!) > 0);
    if (keepSides && !doLinesMeet(simple)) return simple;
  }
  return rings;
}

function simplifyRing(ring: Int32Array, tolerance: number): Int32Array {
  const count = ring.length / 2;
  const keep = new Uint8Array(count);
  let opposite = 0;
  for (let corner = 1, most = 0; corner < count; corner++) {
    const distance = Math.hypot(ring[2 * corner]! - ring[0]!, ring[2 * corner + 1]! - ring[1]!);
    if (distance > most) [opposite, most] = [corner, distance];
  }
  keep[0] = keep[opposite] = 1;
  /** Ends of chains whose inner corners are open; the end of the last is the ring's first corner. */
  const open = [
    [0, opposite],
    [opposite, count],
  ] as [number, number][];
  for (let chain = open.pop(); chain; chain = open.pop()) {
    const [first, last] = chain;
    let [farthest, most] = [-1, tolerance];
    for (let corner = first + 1; corner < last; corner++) {
      const distance = distanceToLine(ring, corner, first, last % count);
      if (distance > most) [farthest, most] = [corner, distance];
    }
    if (farthest < 0) continue;
    keep[farthest] = 1;
    open.push([first, farthest], [farthest, last]);
  }
  return ring.filter((_, at) => keep[at >> 1] === 1);
}

/** From a corner to the line between two others. */
function distanceToLine(ring: Int32Array, corner: number, from: number, to: number): number {
  const [x0, y0] = [ring[2 * from]!, ring[2 * from + 1]!];
  const [across, down] = [ring[2 * to]! - x0, ring[2 * to + 1]! - y0];
  const [x, y] = [ring[2 * corner]! - x0, ring[2 * corner + 1]! - y0];
  const along = Math.min(1, Math.max(0, (x * across + y * down) / (across ** 2 + down ** 2)));
  return Math.hypot(x - along * across, y - along * down);
}

type Line = readonly [x0: number, y0: number, x1: number, y1: number];

/** Whether lines of a polygon cross, lie on each other, or touch elsewhere than in corners of both. */
function doLinesMeet(rings: readonly Int32Array[]): boolean {
  const cells = new Map<number, Line[]>();
  for (const ring of rings) {
    for (let at = 0, before = ring.length - 2; at < ring.length; before = at, at += 2) {
      const line: Line = [ring[before]!, ring[before + 1]!, ring[at]!, ring[at + 1]!];
      const cell = (place: number) => Math.floor(place / cellSide);
      for (let row = cell(Math.min(line[1], line[3])); row <= cell(Math.max(line[1], line[3])); row++) {
        for (let column = cell(Math.min(line[0], line[2])); column <= cell(Math.max(line[0], line[2])); column++) {
          const name = row * 2 ** 20 + column;
          const others = cells.get(name);
          if (!others) cells.set(name, [line]);
          else if (others.some((other) => doMeet(line, other))) return true;
          else others.push(line);
        }
      }
    }
  }
  return false;
}

function doMeet(one: Line, other: Line): boolean {
  const [a, b, c, d] = [
    sideOf(one, other[0], other[1]),
    sideOf(one, other[2], other[3]),
    sideOf(other, one[0], one[1]),
    sideOf(other, one[2], one[3]),
  ];
  if (a * b > 0 || c * d > 0) return false;
  const starts = other[0] === one[0] && other[1] === one[1];
  const ends = other[2] === one[2] && other[3] === one[3];
  const follows = other[0] === one[2] && other[1] === one[3];
  const leads = other[2] === one[0] && other[3] === one[1];
  if (!(starts || ends || follows || leads)) return !(a === 0 && b === 0) || doOverlap(one, other);
  // With a corner in common they may only go apart there.
  return a === 0 && b === 0 && doOverlap(one, other);
}

/** Whether lines on one straight have more than a point in common. */
function doOverlap(one: Line, other: Line): boolean {
  const along = one[0] !== one[2] ? 0 : 1;
  const [first, second] = [one, other].map((line) => [line[along]!, line[along + 2]!].sort((x, y) => x - y)) as [
    number[],
    number[],
  ];
  return Math.max(first[0]!, second[0]!) < Math.min(first[1]!, second[1]!);
}

function sideOf([x0, y0, x1, y1]: Line, x: number, y: number): number {
  return Math.sign((x1 - x0) * (y - y0) - (y1 - y0) * (x - x0));
}

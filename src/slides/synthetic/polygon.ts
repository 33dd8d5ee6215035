import type { Generator } from '../../base/index.js';

/** A closed line through its points, `[x, y]` each; the last is joined to the first. */
export type Polygon = readonly (readonly [x: number, y: number])[];

/** A round blob with an uneven edge: radii of three waves around the middle, `corners` points. */
export function blob(
  middle: { x: number; y: number },
  radius: number,
  random: Generator,
  corners = Math.max(16, Math.round(radius / 6)),
): Polygon {
  const waves = [2, 3, 5].map((turns) => ({
    turns,
    height: random.between(0.04, 0.28 / turns + 0.06),
    start: random.between(0, 2 * Math.PI),
  }));
  return Array.from({ length: corners }, (_, corner) => {
    const angle = (2 * Math.PI * corner) / corners;
    const uneven = waves.reduce((sum, { turns, height, start }) => sum + height * Math.cos(turns * angle + start), 1);
    return [middle.x + radius * uneven * Math.cos(angle), middle.y + radius * uneven * Math.sin(angle)] as const;
  });
}

/** The same as a ring of the polygons of annotations: x, y, x, y ... */
export function ringOf(polygon: Polygon): Float64Array {
  return Float64Array.from(polygon.flat());
}

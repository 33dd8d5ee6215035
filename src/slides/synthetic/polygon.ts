import type { Generator } from '../../runs/index.js';

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

/** Calls `visit` for each cell (side 1) whose middle is inside the polygon, by the even-odd rule, row by row. */
export function forCellsInside(
  polygon: Polygon,
  size: { width: number; height: number },
  visit: (index: number) => void,
): void {
  const ys = polygon.map(([, y]) => y);
  const last = Math.min(size.height - 1, Math.floor(Math.max(...ys)));
  for (let row = Math.max(0, Math.floor(Math.min(...ys))); row <= last; row++) {
    const middle = row + 0.5;
    const crossings: number[] = [];
    for (const [corner, [x, y]] of polygon.entries()) {
      const [nextX, nextY] = polygon[(corner + 1) % polygon.length]!;
      if (y <= middle === nextY <= middle) continue;
      crossings.push(x + ((middle - y) / (nextY - y)) * (nextX - x));
    }
    crossings.sort((one, other) => one - other);
    for (let pair = 0; pair + 1 < crossings.length; pair += 2) {
      const from = Math.max(0, Math.ceil(crossings[pair]! - 0.5));
      const to = Math.min(size.width, Math.ceil(crossings[pair + 1]! - 0.5));
      for (let column = from; column < to; column++) visit(row * size.width + column);
    }
  }
}

/** Left, top, right and bottom. */
export function boundsOf(polygon: Polygon): { left: number; top: number; right: number; bottom: number } {
  const xs = polygon.map(([x]) => x);
  const ys = polygon.map(([, y]) => y);
  return { left: Math.min(...xs), top: Math.min(...ys), right: Math.max(...xs), bottom: Math.max(...ys) };
}

import type { Polygon } from './polygons.js';

/** A grid of pixels on a slide. */
export interface LabelRegion {
  /** Left top corner, level-0 px; may lie within a pixel. */
  x: number;
  y: number;
  /** In pixels of the result. */
  width: number;
  height: number;
  /** Level-0 px for each pixel of the result, along a side. */
  pixelSize: number;
}

/** Paints a polygon (see `forRunsInside`). */
export function rasterizePolygon(polygon: Polygon, region: LabelRegion, label: number, into: Uint8Array): void {
  forRunsInside(polygon.rings, region, (first, end) => into.fill(label, first, end));
}

/**
 * Visits the pixels of a polygon: a pixel belongs to it when its center lies within by the even-odd rule. A center on an
 * edge belongs to the area on its right or below, so that polygons that share an edge share no pixel and leave none out.
 *
 * @param visit is given runs of pixels in a row: the first, and the one after the last
 */
export function forRunsInside(
  rings: Polygon['rings'],
  region: LabelRegion,
  visit: (first: number, end: number) => void,
): void {
  const { x, y, width, height, pixelSize } = region;
  /** Crossings of each row of centers with the edges, in pixels from the left center. */
  const crossings: number[][] = [];
  for (const ring of rings) {
    const count = ring.length / 2;
    for (let corner = 0; corner < count; corner++) {
      const next = (corner + 1) % count;
      const [x0, y0] = [ring[2 * corner]!, ring[2 * corner + 1]!];
      const [x1, y1] = [ring[2 * next]!, ring[2 * next + 1]!];
      if (y0 === y1) continue;
      const rowOf = (place: number) => Math.ceil((place - y) / pixelSize - 0.5);
      const first = Math.max(0, rowOf(Math.min(y0, y1)));
      const last = Math.min(height, rowOf(Math.max(y0, y1)));
      for (let row = first; row < last; row++) {
        const center = y + (row + 0.5) * pixelSize;
        const crossing = x0 + ((center - y0) / (y1 - y0)) * (x1 - x0);
        crossings[row] ??= [];
        crossings[row]!.push((crossing - x) / pixelSize - 0.5);
      }
    }
  }
  for (const [row, places] of crossings.entries()) {
    if (!places) continue;
    places.sort((one, other) => one - other);
    for (let pair = 0; pair + 1 < places.length; pair += 2) {
      const first = Math.max(0, Math.ceil(places[pair]!));
      const last = Math.min(width, Math.ceil(places[pair + 1]!));
      if (first < last) visit(row * width + first, row * width + last);
    }
  }
}

import { withDisplay } from './custom-display.js';
import { slideOverview } from './overlay.js';
import * as grid from './patch-grid.js';
import type { Slide } from './slide.js';
import * as tissue from './tissue/mask.js';

/** `tissueMask`, whose result a notebook shows over its slide. */
export async function tissueMask(...given: Parameters<typeof tissue.tissueMask>): Promise<tissue.TissueMask> {
  const mask = await tissue.tissueMask(...given);
  const { width, height, umPerPixel, data, method } = mask;
  const share = (100 * data.reduce((sum, pixel) => sum + pixel, 0)) / data.length;
  const size = `${width} x ${height} px of ${umPerPixel.toFixed(2)} um`;
  return withDisplay(mask, `Tissue mask, ${size}: ${share.toFixed(1)} % tissue. ${method}`, () =>
    slideOverview(given[0], mask),
  );
}

/** `patchGrid`, whose result a notebook shows over its slide. */
export function patchGrid(slide: Slide, mask: tissue.TissueMask, options: grid.PatchGridOptions = {}): grid.PatchIndex {
  const index = grid.patchGrid(slide, mask, options);
  const { geometry, notDrawn, rejected } = index;
  const words =
    `Patch grid: ${index.x.length} patches of ${geometry.micrometers} um (${geometry.pixels} px), ` +
    `${notDrawn.x.length} not drawn, ${rejected.x.length} places rejected`;
  return withDisplay(index, words, () => slideOverview(slide, mask, index));
}

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { findTissue, tissuePresets } from '../../src/slides/index.js';

const folder = ['../../../shared/data/patches/tissue-cases/']
  .map((path) => fileURLToPath(new URL(path, import.meta.url)))
  .find(existsSync);

const share = (plane: Uint8Array) => plane.reduce((sum, value) => sum + value, 0) / plane.length;

type Range = [min: number, max: number];
const none: Range = [0, 0.04];
const little: Range = [0, 0.2];

/** What the images' names say is in them. Tissue that is mostly fat or full of gaps counts where there is any stroma. */
const cases: Record<string, { tissue: Range; pen?: Range }> = {
  'almost-white-1': { tissue: none },
  'almost-white-2': { tissue: none },
  'almost-white-ihc': { tissue: none },
  'high-nuclei-score-level0': { tissue: [0.9, 1] },
  'high-nuclei-score-level2': { tissue: [0.1, 0.2] },
  'high-nuclei-score-red-pen-level1': { tissue: [0.8, 0.95], pen: [0.05, 0.2] },
  'kidney-ihc-level0-310-500-360-530': { tissue: [0.7, 1] },
  'kidney-ihc-level0-330-480-380-510': { tissue: [0.3, 0.6] },
  'kidney-ihc-level0-340-520-390-550': { tissue: [0.7, 1] },
  'kidney-ihc-level0-350-530-360-540': { tissue: [0.9, 1] },
  'liver-level2-10907-7808-11707-8608': { tissue: [0.95, 1] },
  'liver-level2-20914-13715-21714-14515': { tissue: [0.1, 0.25] },
  'liver-level2-38626-13514-39426-14315': { tissue: none },
  'liver-level2-57138-8209-57938-9009': { tissue: [0.6, 0.8] },
  'low-nuclei-score-level0': { tissue: [0.05, 1] },
  'low-nuclei-score-level1': { tissue: [0.05, 1] },
  'medium-nuclei-score-green-pen-level1': { tissue: [0.25, 0.5], pen: [0.4, 0.7] },
  'medium-nuclei-score-level0': { tissue: [0.8, 1] },
  'medium-nuclei-score-level1-2': { tissue: [0.95, 1] },
  'medium-nuclei-score-level1': { tissue: [0.5, 0.9], pen: [0, 0.06] },
  'medium-nuclei-score-level2': { tissue: [0.7, 0.9] },
  'no-tissue-green-pen': { tissue: none, pen: [0.6, 0.85] },
  'no-tissue-line': { tissue: none },
  // The ink's pale fringe is as pale as tissue.
  'no-tissue-red-pen': { tissue: little, pen: [0.5, 0.75] },
  'no-tissue': { tissue: none },
  'no-tissue2': { tissue: none },
  'rgb_diagnostic-slide-thumb-rgb': { tissue: [0.3, 0.5], pen: [0.25, 0.45] },
  'rgb_tcga-green-pen': { tissue: [0.65, 0.85], pen: [0.15, 0.3] },
  'rgb_tcga-lung-rgb': { tissue: [0.7, 0.95] },
  'rgb_tcga-red-pen': { tissue: [0.45, 0.7], pen: [0.2, 0.4] },
  'rgb_wsi-blue-pen': { tissue: [0.2, 0.35], pen: [0.03, 0.1] },
  'tissue-level0-4302-10273-4814-10785': { tissue: [0.5, 1] },
  'tissue-level0-7352-11762-7864-12274': { tissue: [0.75, 0.95] },
  'tissue-level2-1784-6289-5880-10386': { tissue: [0.6, 0.85] },
  'tissue-level2-3000-7666-7096-11763': { tissue: [0.6, 0.85] },
  'tissue-level2-4640-4649-8736-8746': { tissue: [0.6, 0.85] },
  'tissue-level2-4760-5241-8856-9338': { tissue: [0.6, 0.85] },
  'very-low-nuclei-score-level0': { tissue: [0.95, 1] },
  'very-low-nuclei-score-red-pen-level1': { tissue: [0.05, 0.4], pen: [0.2, 0.45] },
};

describe.skipIf(!folder)('the 39 tissue, glass and pen cases', () => {
  it.each(Object.entries(cases))('%s', async (name, { tissue, pen = [0, 0.02] }) => {
    const { data, info } = await sharp(`${folder}${name}.png`)
      .flatten({ background: '#ffffff' })
      .raw()
      .toBuffer({ resolveWithObject: true });
    const image = { pixels: data, width: info.width, height: info.height };
    // As if at the mask's own scale; the smallest images are single crops, in which nothing is a fragment.
    const settings = { ...tissuePresets.pathlab, ...(info.width < 60 && { minimumArea: 0 }) };
    const found = await findTissue(image, settings.umPerPixel, settings);
    expect(share(found.tissue)).toBeGreaterThanOrEqual(tissue[0]);
    expect(share(found.tissue)).toBeLessThanOrEqual(tissue[1]);
    expect(share(found.pen)).toBeGreaterThanOrEqual(pen[0]);
    expect(share(found.pen)).toBeLessThanOrEqual(pen[1]);
    expect(found.tissue.some((value, pixel) => value && found.pen[pixel])).toBe(false);
  });
});

import { type ImageSource, imageLimits, readImageFile } from '../../slides/index.js';
import type { NearDuplicate } from './audit.js';

/** An image of a pair, as image grids draw them: RGB, 0 to 255. */
export interface PairImage {
  pixels: Uint8Array;
  width: number;
  height: number;
  caption: string;
  mark?: string;
}

/**
 * The images of near-duplicates, two and two, for an image grid of two columns.
 *
 * @param imageOf file or encoded bytes of a row of the audited table
 * @param options.maxPairs so many pairs, the nearest
 * @param options.mark drawn over a row's image, such as "SYNTHETIC"
 */
export async function nearDuplicateImages(
  pairs: readonly NearDuplicate[],
  imageOf: (row: number) => ImageSource | Promise<ImageSource>,
  options: { maxPairs?: number; mark?: (row: number) => string | undefined } = {},
): Promise<PairImage[]> {
  const shown: PairImage[] = [];
  for (const { rows, ids, splits, distance } of pairs.slice(0, options.maxPairs ?? 12)) {
    for (const place of [0, 1] as const) {
      const image = await imageOf(rows[place]);
      const { data, facts } = await readImageFile(image, { as: 'rgb', limits: imageLimits }, ids[place]);
      const mark = options.mark?.(rows[place]);
      shown.push({
        pixels: data,
        width: facts.width,
        height: facts.height,
        caption: `${splits[place]}: ${ids[place]}${place === 1 ? ` (${distance} bits)` : ''}`,
        ...(mark !== undefined && { mark }),
      });
    }
  }
  return shown;
}

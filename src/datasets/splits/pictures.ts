import { type PictureSource, pictureLimits, readPicture } from '../../slides/index.js';
import type { NearDuplicate } from './audit.js';

/** A picture of a pair, as picture grids draw them: RGB, 0 to 255. */
export interface PairPicture {
  pixels: Uint8Array;
  width: number;
  height: number;
  caption: string;
  mark?: string;
}

/**
 * The pictures of near-duplicates, two and two, for a picture grid of two columns.
 *
 * @param pictureOf file or encoded bytes of a row of the audited table
 * @param options.most so many pairs, the nearest
 * @param options.mark drawn over a row's picture, such as "SYNTHETIC"
 */
export async function nearDuplicatePictures(
  pairs: readonly NearDuplicate[],
  pictureOf: (row: number) => PictureSource | Promise<PictureSource>,
  options: { most?: number; mark?: (row: number) => string | undefined } = {},
): Promise<PairPicture[]> {
  const shown: PairPicture[] = [];
  for (const { rows, ids, sides, distance } of pairs.slice(0, options.most ?? 12)) {
    for (const place of [0, 1] as const) {
      const picture = await pictureOf(rows[place]);
      const { data, facts } = await readPicture(picture, { as: 'rgb', limits: pictureLimits }, ids[place]);
      const mark = options.mark?.(rows[place]);
      shown.push({
        pixels: data,
        width: facts.width,
        height: facts.height,
        caption: `${sides[place]}: ${ids[place]}${place === 1 ? ` (${distance} bits)` : ''}`,
        ...(mark !== undefined && { mark }),
      });
    }
  }
  return shown;
}

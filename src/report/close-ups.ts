import type { PatchSet } from '../datasets/index.js';
import { openSlide, type RgbImage } from '../slides/index.js';

/**
 * Reads some patches of a set from their slides again, for people to look at: with more detail than the set, which is
 * made for a network, may have.
 *
 * @param indices places in the set
 * @param size side of the pictures, px
 */
export async function closeUps(set: PatchSet, indices: ArrayLike<number>, size: number): Promise<RgbImage[]> {
  return Promise.all(
    Array.from(indices, async (patch) => {
      const source = set.sources.find(({ id }) => id === set.slides[patch]);
      if (!source) throw new RangeError(`there is no patch ${patch}: the set has ${set.count}`);
      const slide = await openSlide(source.path, { mpp: source.magnification.mpp });
      try {
        const place = { x: set.x[patch]!, y: set.y[patch]!, width: size, height: size };
        return await slide.readAt({ ...place, mpp: set.micrometers / size });
      } finally {
        await slide.close();
      }
    }),
  );
}

import { InterruptedError } from '../runs/index.js';
import { type Resampling, resampling } from './magnification.js';
import { checkGeometry, type PatchIndex } from './patch-grid.js';
import type { Slide } from './slide.js';

/** Patches in memory. */
export interface PatchImages {
  /** RGB, `[count, size, size, 3]`. */
  images: Uint8Array;
  count: number;
  size: number;
  /** Size of an image's pixel, um. */
  mpp: number;
  level: number;
  /** What was done to the pixels that were read. */
  resampling: Resampling;
}

/**
 * Reads the patches of an index.
 *
 * @param options.size side of the images, px; by default the geometry's. Smaller images are read from a coarser
 *   level where the slide has one: they show the same area with less detail.
 * @param options.concurrency reads in flight
 * @throws InterruptedError when `signal` aborts; reads in flight end first
 */
export async function readPatches(
  slide: Slide,
  index: PatchIndex,
  options: {
    size?: number;
    concurrency?: number;
    onProgress?: (done: number, total: number) => void;
    signal?: AbortSignal;
  } = {},
): Promise<PatchImages> {
  const size = options.size ?? index.geometry.pixels;
  checkGeometry({ ...index.geometry, pixels: size });
  const count = index.x.length;
  const mpp = index.geometry.micrometers / size;
  const bytes = size * size * 3;
  const images = new Uint8Array(count * bytes);
  let next = 0;
  let done = 0;
  const readInTurn = async () => {
    while (next < count) {
      if (options.signal?.aborted) throw new InterruptedError(`reading patches of ${slide.path} was interrupted`);
      const patch = next++;
      const picture = await slide.readAt({ x: index.x[patch]!, y: index.y[patch]!, width: size, height: size, mpp });
      images.set(picture.pixels, patch * bytes);
      options.onProgress?.(++done, count);
    }
  };
  const readers = await Promise.allSettled(Array.from({ length: options.concurrency ?? 4 }, readInTurn));
  for (const reader of readers) if (reader.status === 'rejected') throw reader.reason;
  const level = slide.levelFor(mpp);
  return { images, count, size, mpp, level, resampling: resampling(slide.mppOfLevel(level), mpp) };
}

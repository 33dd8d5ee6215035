import { type Resampling, resampling } from './magnification.js';
import { checkGeometry, type PatchIndex } from './patch-grid.js';
import { readAhead } from './read-ahead.js';
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

export interface ReadPatchesOptions {
  /** Side of the images, px; by default the geometry's. Smaller images are read from a coarser level where there is one. */
  size?: number;
  /** Reads in flight; by default as many as keep the reader processes busy. */
  concurrency?: number;
  onProgress?: (done: number, total: number) => void;
  signal?: AbortSignal;
}

/**
 * Reads the patches of an index.
 *
 * @throws InterruptedError when `signal` aborts; reads in flight end first
 */
export async function readPatches(
  slide: Slide,
  index: PatchIndex,
  options: ReadPatchesOptions = {},
): Promise<PatchImages> {
  const size = options.size ?? index.geometry.pixels;
  const count = index.x.length;
  const mpp = index.geometry.micrometers / size;
  const bytes = size * size * 3;
  const images = new Uint8Array(count * bytes);
  let done = 0;
  for await (const read of readInOrder(slide, index, options)) {
    for (const { patch, data } of read) {
      images.set(data, patch * bytes);
      options.onProgress?.(++done, count);
    }
  }
  const level = slide.levelFor(mpp);
  return { images, count, size, mpp, level, resampling: resampling(slide.mppOfLevel(level), mpp) };
}

/**
 * Reads the patches of an index as JPEG (4:4:4), encoded by the processes that read them, with few in memory at a time.
 *
 * @param options.quality of the JPEG, 1 to 100
 * @yields each patch's number in the index and its bytes: by rows of patches, which is a grid's own order
 * @throws InterruptedError when `signal` aborts; reads in flight end first
 */
export async function* encodePatches(
  slide: Slide,
  index: PatchIndex,
  options: ReadPatchesOptions & { quality: number },
): AsyncGenerator<{ patch: number; data: Uint8Array }> {
  let done = 0;
  for await (const read of readInOrder(slide, index, { ...options, jpegQuality: options.quality })) {
    for (const patch of read) {
      yield patch;
      options.onProgress?.(++done, index.x.length);
    }
  }
}

async function* readInOrder(
  slide: Slide,
  index: PatchIndex,
  options: ReadPatchesOptions & { jpegQuality?: number },
): AsyncGenerator<{ patch: number; data: Uint8Array }[]> {
  const size = options.size ?? index.geometry.pixels;
  checkGeometry({ ...index.geometry, pixels: size });
  const { jpegQuality } = options;
  const where = { width: size, height: size, mpp: index.geometry.micrometers / size, jpegQuality };
  const order = readingOrder(index);
  const places = Array.from(order, (patch) => ({ x: index.x[patch]!, y: index.y[patch]! }));
  let next = 0;
  for await (const read of readAhead(slide, places, where, options)) {
    yield read.map((data) => ({ patch: order[next++]!, data }));
  }
}

/** Patches by rows as high as a patch, in each from the left: neighbors in this order share tiles of the slide. */
function readingOrder({ x, y, side }: PatchIndex): Int32Array {
  const row = (patch: number) => Math.round(y[patch]! / side);
  return Int32Array.from({ length: x.length }, (_, patch) => patch).sort(
    (one, other) => row(one) - row(other) || x[one]! - x[other]! || one - other,
  );
}

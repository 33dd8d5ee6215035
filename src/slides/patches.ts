import { InterruptedError } from '../runs/index.js';
import { type Resampling, resampling } from './magnification.js';
import type { Slide } from './slide.js';
import { type TissueMask, tissueFraction } from './tissue.js';

/** What a patch is. The paper's: 200 um wide, 512 px, which is 0.39 um/px. */
export interface PatchGeometry {
  micrometers: number;
  pixels: number;
}

export const paperGeometry: PatchGeometry = { micrometers: 200, pixels: 512 };

/** Where the patches of one slide lie; nothing has been read yet. */
export interface PatchIndex {
  geometry: PatchGeometry;
  /** Top left corners, level-0 px. */
  x: Int32Array;
  y: Int32Array;
  /** Share of each patch that is tissue. */
  tissue: Float32Array;
  /** Side of a patch, level-0 px; whole only by chance. */
  side: number;
  minimumTissue: number;
  /** Grid places that had too little tissue. */
  rejected: { x: Int32Array; y: Int32Array };
  /** Size of the slide's level-0 pixels, um. */
  mpp: number;
  /** Level that patches of the geometry's size are read from. */
  level: number;
  /** From that level to the geometry's pixel size. */
  resampling: Resampling;
}

/**
 * Lays a grid of patches over a slide, from its top left corner, edge to edge, and keeps those with enough tissue.
 * Only whole patches count.
 *
 * @param options.minimumTissue share of the patch that must be tissue, 0 to 1
 */
export function patchGrid(
  slide: Slide,
  mask: TissueMask,
  options: { geometry?: PatchGeometry; minimumTissue?: number } = {},
): PatchIndex {
  const geometry = options.geometry ?? paperGeometry;
  const minimumTissue = options.minimumTissue ?? 0.5;
  checkGeometry(geometry);
  if (!(minimumTissue >= 0 && minimumTissue <= 1)) {
    throw new RangeError(`minimumTissue is a share from 0 to 1; got ${minimumTissue}`);
  }
  const side = geometry.micrometers / slide.mpp;
  const kept: { x: number; y: number; tissue: number }[] = [];
  const rejected: { x: number; y: number }[] = [];
  for (let row = 0; Math.round((row + 1) * side) <= slide.height; row++) {
    for (let column = 0; Math.round((column + 1) * side) <= slide.width; column++) {
      const x = Math.round(column * side);
      const y = Math.round(row * side);
      const tissue = tissueFraction(mask, x, y, side, side);
      if (tissue >= minimumTissue) kept.push({ x, y, tissue });
      else rejected.push({ x, y });
    }
  }
  const umPerPixel = geometry.micrometers / geometry.pixels;
  const level = slide.levelFor(umPerPixel);
  return {
    geometry,
    x: Int32Array.from(kept, (patch) => patch.x),
    y: Int32Array.from(kept, (patch) => patch.y),
    tissue: Float32Array.from(kept, (patch) => patch.tissue),
    side,
    minimumTissue,
    rejected: { x: Int32Array.from(rejected, (patch) => patch.x), y: Int32Array.from(rejected, (patch) => patch.y) },
    mpp: slide.mpp,
    level,
    resampling: resampling(slide.mppOfLevel(level), umPerPixel),
  };
}

function checkGeometry(geometry: PatchGeometry): void {
  const { micrometers, pixels } = geometry;
  if (!(micrometers > 0 && Number.isFinite(micrometers))) {
    throw new RangeError(`a patch's side must be above 0 um; got ${micrometers}`);
  }
  if (!(Number.isSafeInteger(pixels) && pixels > 0 && pixels <= 8192)) {
    throw new RangeError(`a patch's side must be 1 to 8192 whole pixels; got ${pixels}`);
  }
}

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

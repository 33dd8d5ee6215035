import { type RgbImage, resize } from './rgb-image.js';
import type { Slide } from './slide.js';

/** The whole slide, small. */
export interface Thumbnail extends RgbImage {
  /** Size of its pixels, um. */
  umPerPixel: number;
  /** Level-0 pixels for each of its pixels, along a side. */
  downsample: number;
}

/**
 * The whole slide as a picture whose longer side is at most `maxSize` pixels; never larger than the slide.
 */
export async function thumbnail(slide: Slide, maxSize: number): Promise<Thumbnail> {
  if (!(Number.isSafeInteger(maxSize) && maxSize > 0)) {
    throw new RangeError(`a thumbnail's size is a whole number of pixels above 0; got ${maxSize}`);
  }
  const downsample = Math.max(1, Math.max(slide.width, slide.height) / maxSize);
  const width = Math.max(1, Math.round(slide.width / downsample));
  const height = Math.max(1, Math.round(slide.height / downsample));
  const level = coarsestLevelWithin(slide, downsample);
  const { width: levelWidth, height: levelHeight } = slide.levels[level]!;
  const whole = await slide.readRegion({ x: 0, y: 0, level, width: levelWidth, height: levelHeight });
  return { ...(await resize(whole, width, height)), umPerPixel: slide.mpp * downsample, downsample };
}

function coarsestLevelWithin(slide: Slide, downsample: number): number {
  let best = 0;
  for (const [level, { downsample: itsDownsample }] of slide.levels.entries()) {
    if (itsDownsample <= downsample * 1.005) best = level;
  }
  return best;
}

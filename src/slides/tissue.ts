import sharp from 'sharp';
import type { Slide } from './slide.js';
import { thumbnail } from './thumbnail.js';

/** Where a slide has tissue. */
export interface TissueMask {
  width: number;
  height: number;
  /** Size of a mask pixel, um. */
  umPerPixel: number;
  /** Level-0 pixels for each mask pixel, along a side. */
  downsample: number;
  /** 1 where there is tissue, else 0; row by row, `[height, width]`. */
  data: Uint8Array;
  /** Optical density above which a place is tissue. */
  threshold: number;
  /** How the mask was made, in words. */
  method: string;
}

/** The threshold is kept in this range, so that a slide of tissue only, or of glass only, is not cut in two. */
const leastThreshold = 0.05;
const mostThreshold = 0.2;

/** Tissue is looked at through this blur (standard deviation, um): gaps that are smaller count as tissue. */
const blurMicrometers = 12;

/**
 * Finds tissue: mean optical density over red, green and blue relative to the slide's own glass, blurred, and cut at
 * Otsu's threshold (IEEE Transactions on Systems, Man, and Cybernetics 1979;9:62-66).
 *
 * @param options.umPerPixel size of a mask pixel, um
 */
export async function tissueMask(slide: Slide, options: { umPerPixel?: number } = {}): Promise<TissueMask> {
  const asked = options.umPerPixel ?? 8;
  if (!(asked >= slide.mpp)) {
    throw new RangeError(`a tissue mask is coarser than the slide (${slide.mpp} um/px); got ${asked} um/px`);
  }
  const longer = Math.max(slide.width, slide.height);
  const small = await thumbnail(slide, Math.max(1, Math.round((longer * slide.mpp) / asked)));
  const { width, height, umPerPixel, downsample } = small;
  const density = opticalDensity(small.pixels, glassColor(small.pixels));
  const blurred = await blur(density, width, height, blurMicrometers / umPerPixel);
  const otsu = otsuThreshold(blurred);
  const threshold = Math.min(mostThreshold, Math.max(leastThreshold, otsu));
  const data = Uint8Array.from(blurred, (value) => (value > threshold ? 1 : 0));
  const method =
    `mean optical density at ${umPerPixel.toFixed(2)} um/px, blurred by ${blurMicrometers} um, over ` +
    `${threshold.toFixed(3)} (Otsu ${otsu.toFixed(3)}, kept within ${leastThreshold} to ${mostThreshold})`;
  return { width, height, umPerPixel, downsample, data, threshold, method };
}

/** Share of a rectangle that is tissue; places in level-0 px. What lies off the slide is not tissue. */
export function tissueFraction(mask: TissueMask, x: number, y: number, width: number, height: number): number {
  const left = Math.round(x / mask.downsample);
  const top = Math.round(y / mask.downsample);
  const right = Math.max(left + 1, Math.round((x + width) / mask.downsample));
  const bottom = Math.max(top + 1, Math.round((y + height) / mask.downsample));
  let tissue = 0;
  for (let row = Math.max(0, top); row < Math.min(mask.height, bottom); row++) {
    for (let column = Math.max(0, left); column < Math.min(mask.width, right); column++) {
      tissue += mask.data[row * mask.width + column]!;
    }
  }
  return tissue / ((right - left) * (bottom - top));
}

/** Light through glass: in each channel the 99th percentile, where glass shows if there is any. */
function glassColor(rgb: Uint8Array): [number, number, number] {
  const count = rgb.length / 3;
  return [0, 1, 2].map((channel) => {
    const histogram = new Uint32Array(256);
    for (let index = channel; index < rgb.length; index += 3) histogram[rgb[index]!]!++;
    let brighter = 0;
    for (let value = 255; value > 0; value--) {
      brighter += histogram[value]!;
      // Tissue alone has no glass to show: then white is the best guess.
      if (brighter >= count / 100) return value >= 200 ? value : 255;
    }
    return 255;
  }) as [number, number, number];
}

/** Mean over the channels of -ln(light / light through glass), one value a pixel. */
function opticalDensity(rgb: Uint8Array, glass: readonly [number, number, number]): Float32Array {
  const tables = glass.map((light) =>
    Float32Array.from({ length: 256 }, (_, value) => Math.max(0, -Math.log(Math.max(1, value) / light)) / 3),
  );
  return Float32Array.from(
    { length: rgb.length / 3 },
    (_, index) => tables[0]![rgb[3 * index]!]! + tables[1]![rgb[3 * index + 1]!]! + tables[2]![rgb[3 * index + 2]!]!,
  );
}

/** Densities are blurred as bytes, 1/200 each. */
const densityStep = 1 / 200;

async function blur(density: Float32Array, width: number, height: number, sigma: number): Promise<Float32Array> {
  // sharp refuses smaller blurs; below half a pixel there is nothing to blur.
  if (sigma < 0.5) return density;
  const bytes = Uint8ClampedArray.from(density, (value) => value / densityStep);
  const blurred = await sharp(bytes, { raw: { width, height, channels: 1 } })
    .blur(sigma)
    .extractChannel(0)
    .raw()
    .toBuffer();
  return Float32Array.from(blurred, (value) => value * densityStep);
}

/** The threshold that splits the values into the two classes with the most variance between them. */
export function otsuThreshold(values: Float32Array): number {
  const bins = 256;
  const most = values.reduce((largest, value) => Math.max(largest, value), 0);
  if (most === 0) return 0;
  const histogram = new Float64Array(bins);
  for (const value of values) histogram[Math.min(bins - 1, Math.floor((value / most) * bins))]!++;
  const total = values.length;
  const sum = histogram.reduce((running, count, bin) => running + count * bin, 0);
  let below = 0;
  let sumBelow = 0;
  let best = 0;
  let bestVariance = -1;
  for (let bin = 0; bin < bins - 1; bin++) {
    below += histogram[bin]!;
    sumBelow += histogram[bin]! * bin;
    if (below === 0 || below === total) continue;
    const difference = sumBelow / below - (sum - sumBelow) / (total - below);
    const variance = below * (total - below) * difference ** 2;
    if (variance > bestVariance) {
      bestVariance = variance;
      best = bin;
    }
  }
  return ((best + 1) / bins) * most;
}

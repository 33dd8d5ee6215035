import type { Slide } from '../slide.js';
import { thumbnail } from '../thumbnail.js';
import { findTissue } from './find-tissue.js';
import { type TissueSettings, tissuePresets } from './settings.js';

/** Where a slide has tissue, pen marks and black. */
export interface TissueMask {
  width: number;
  height: number;
  /** Size of a mask pixel, um. */
  umPerPixel: number;
  /** Level-0 pixels for each mask pixel, along a side. */
  downsample: number;
  /** 1 where there is tissue, else 0; row by row, `[height, width]`. */
  data: Uint8Array;
  /** 1 under pen marks, and where there is nearly no light. */
  pen: Uint8Array;
  black: Uint8Array;
  /** Of each of the settings' channels: above it a place is tissue. */
  thresholds: number[];
  /** How the mask was made, in words. */
  method: string;
}

/**
 * Finds tissue, pen marks and black on a small image of the slide.
 *
 * @param options.preset settings by name: `pathlab` unless said otherwise
 * @param options.settings single settings that differ from the preset's
 * @param options.umPerPixel size of a mask pixel, um; short for `settings.umPerPixel`
 */
export async function tissueMask(
  slide: Slide,
  options: {
    preset?: keyof typeof tissuePresets;
    settings?: Partial<TissueSettings>;
    umPerPixel?: number;
  } = {},
): Promise<TissueMask> {
  const preset = options.preset ?? 'pathlab';
  if (!Object.hasOwn(tissuePresets, preset)) {
    throw new RangeError(`there is no tissue preset "${preset}"; there are: ${Object.keys(tissuePresets).join(', ')}`);
  }
  const settings = { ...tissuePresets[preset], ...options.settings };
  const asked = options.umPerPixel ?? settings.umPerPixel;
  if (!(asked >= slide.mpp)) {
    throw new RangeError(`a tissue mask must be coarser than the slide (${slide.mpp} um/px); got ${asked} um/px`);
  }
  const longer = Math.max(slide.width, slide.height);
  const small = await thumbnail(slide, Math.max(1, Math.round((longer * slide.mpp) / asked)));
  const { tissue, pen, black, thresholds, method } = await findTissue(small, small.umPerPixel, settings);
  const { width, height, umPerPixel, downsample } = small;
  return { width, height, umPerPixel, downsample, data: tissue, pen, black, thresholds, method };
}

/** Share of a rectangle that is tissue; places in level-0 px. What lies off the slide is not tissue. */
export function tissueFraction(mask: TissueMask, x: number, y: number, width: number, height: number): number {
  return shareOf(mask, mask.data, { x, y, width, height });
}

/** Share of a rectangle where a plane of the mask is 1; places in level-0 px. */
export function shareOf(
  mask: TissueMask,
  plane: Uint8Array,
  { x, y, width, height }: { x: number; y: number; width: number; height: number },
): number {
  const left = Math.round(x / mask.downsample);
  const top = Math.round(y / mask.downsample);
  const right = Math.max(left + 1, Math.round((x + width) / mask.downsample));
  const bottom = Math.max(top + 1, Math.round((y + height) / mask.downsample));
  let ones = 0;
  for (let row = Math.max(0, top); row < Math.min(mask.height, bottom); row++) {
    for (let column = Math.max(0, left); column < Math.min(mask.width, right); column++) {
      ones += plane[row * mask.width + column]!;
    }
  }
  return ones / ((right - left) * (bottom - top));
}

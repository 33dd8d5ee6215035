import sharp from 'sharp';
import type { RgbImage } from '../rgb-image.js';
import { type Glass, glassColor, isBlack, isInk, opticalDensity, saturation } from './color.js';
import { areasAtEdge, type Bitmap, closeGaps, dilate, fillHoles, removeSmallAreas } from './morphology.js';
import { otsuThreshold } from './otsu.js';
import type { TissueChannel, TissueSettings } from './settings.js';

/** What each pixel of an image shows; 1 or 0, row by row, `[height, width]`. */
export interface TissueMap {
  tissue: Uint8Array;
  /** Under ink of any color. */
  pen: Uint8Array;
  /** Nearly no light. */
  black: Uint8Array;
  /** Threshold of each channel, in the settings' order. */
  thresholds: number[];
  /** How the tissue was found, in words. */
  method: string;
}

/** Smaller spots of an ink's color are not pen marks, mm2; pen marks reach this much beyond their color, um. */
const minPenArea = 0.004;
const penFringe = 24;
/** Pixels beside black in which a smaller image mixes it with what is there, to a dark gray as an ink's. */
const blended = 2;

/**
 * Tells tissue, pen marks and black from glass in an image of a slide.
 *
 * @param umPerPixel size of the image's pixels, um, which may differ from the settings' own
 */
export async function findTissue(image: RgbImage, umPerPixel: number, settings: TissueSettings): Promise<TissueMap> {
  const { pixels: rgb, width, height } = image;
  const pixelsOf = (micrometers: number) => Math.round(micrometers / umPerPixel);
  const pixelsOfArea = (squareMillimeters: number) => squareMillimeters * (1000 / umPerPixel) ** 2;
  const glass = glassColor(rgb);
  const black = isBlack(rgb);
  const pen = penMarks(
    { data: isInk(rgb, glass), width, height },
    black,
    pixelsOfArea(minPenArea),
    pixelsOf(penFringe),
  );

  const found = new Uint8Array(width * height);
  const thresholds: number[] = [];
  const said: string[] = [];
  for (const channel of settings.channels) {
    const values = await smoothed(valuesOf(channel, rgb, glass), width, height, {
      sigma: settings.blur / umPerPixel,
      median: pixelsOf(settings.median),
    });
    const counted = settings.withoutInk ? withoutMarked(values, pen, black) : values;
    const { threshold, words } = thresholdOf(channel, counted);
    thresholds.push(threshold);
    said.push(`${channelNames[channel.of]} over ${threshold.toFixed(3)} (${words})`);
    for (let pixel = 0; pixel < found.length; pixel++) if (values[pixel]! > threshold) found[pixel] = 1;
  }
  let tissue: Bitmap = { data: found, width, height };
  if (settings.withoutInk) {
    for (let pixel = 0; pixel < found.length; pixel++) if (pen[pixel] || black[pixel]) found[pixel] = 0;
  }
  tissue = dilate(closeGaps(tissue, pixelsOf(settings.close)), pixelsOf(settings.dilate));
  tissue = fillHoles(tissue, pixelsOfArea(settings.maximumHole));
  tissue = removeSmallAreas(tissue, pixelsOfArea(settings.minimumArea));
  if (settings.withoutInk) {
    // Closing and filling may have covered ink again.
    for (let pixel = 0; pixel < found.length; pixel++) if (pen[pixel] || black[pixel]) tissue.data[pixel] = 0;
  }
  const method =
    `${said.join(' or ')} at ${umPerPixel.toFixed(2)} um/px, blur ${settings.blur} um, median ${settings.median} um; ` +
    `closed by ${settings.close} um, grown by ${settings.dilate} um, holes up to ${shown(settings.maximumHole)} mm2 filled, ` +
    `pieces under ${shown(settings.minimumArea)} mm2 removed${settings.withoutInk ? ', without ink and black' : ''}`;
  return { tissue: tissue.data, pen, black, thresholds, method };
}

const channelNames: Record<TissueChannel['of'], string> = {
  density: 'mean optical density',
  saturation: 'saturation',
  'hsv-saturation': 'HSV saturation',
  darkness: 'darkness',
};

const shown = (area: number) => Number(area.toPrecision(3));

function penMarks(ink: Bitmap, black: Uint8Array, minArea: number, fringe: number): Uint8Array {
  // Black that reaches the image's edge is a scanner's fill.
  const fill = dilate(areasAtEdge({ ...ink, data: black }), blended).data;
  for (let pixel = 0; pixel < fill.length; pixel++) if (fill[pixel]) ink.data[pixel] = 0;
  const marks = dilate(removeSmallAreas(ink, minArea), fringe).data;
  for (let pixel = 0; pixel < marks.length; pixel++) if (black[pixel] && !ink.data[pixel]) marks[pixel] = 0;
  return marks;
}

function valuesOf(channel: TissueChannel, rgb: Uint8Array, glass: Glass): Float32Array {
  switch (channel.of) {
    case 'density':
      return opticalDensity(rgb, glass);
    case 'saturation':
      return saturation(rgb, glass);
    case 'hsv-saturation':
      return saturation(rgb, [255, 255, 255]);
    case 'darkness':
      return darkness(rgb);
  }
}

// Loops and no `from` or `filter` of typed arrays, which first collect all values in a list of objects: hundreds of MiB.

function darkness(rgb: Uint8Array): Float32Array {
  const result = new Float32Array(rgb.length / 3);
  for (let pixel = 0, at = 0; pixel < result.length; pixel++, at += 3) {
    result[pixel] = 1 - (0.299 * rgb[at]! + 0.587 * rgb[at + 1]! + 0.114 * rgb[at + 2]!) / 255;
  }
  return result;
}

/** The values of the pixels that are neither under ink nor black. */
function withoutMarked(values: Float32Array, pen: Uint8Array, black: Uint8Array): Float32Array {
  const kept = new Float32Array(values.length);
  let count = 0;
  for (let pixel = 0; pixel < values.length; pixel++) {
    if (!pen[pixel] && !black[pixel]) kept[count++] = values[pixel]!;
  }
  return kept.subarray(0, count);
}

function thresholdOf(channel: TissueChannel, values: Float32Array): { threshold: number; words: string } {
  if ('fixed' in channel.threshold) return { threshold: channel.threshold.fixed, words: 'fixed' };
  const [min, max] = channel.threshold.otsu;
  const otsu = otsuThreshold(values);
  return {
    threshold: Math.min(max, Math.max(min, otsu)),
    words: `Otsu ${otsu.toFixed(3)}, kept within ${min} to ${max}`,
  };
}

/** Values are smoothed as bytes: up to this value. */
const maxSmoothed = 1.275;

async function smoothed(
  values: Float32Array,
  width: number,
  height: number,
  { sigma, median }: { sigma: number; median: number },
): Promise<Float32Array> {
  // sharp refuses smaller blurs; below half a pixel there is nothing to blur.
  const blurs = sigma >= 0.5;
  const window = Math.min(median, width, height);
  if (!blurs && window < 2) return values;
  const bytes = new Uint8ClampedArray(values.length);
  for (let pixel = 0; pixel < values.length; pixel++) bytes[pixel] = (values[pixel]! * 255) / maxSmoothed;
  let image = sharp(bytes, { raw: { width, height, channels: 1 } });
  if (window >= 2) image = image.median(window);
  if (blurs) image = image.blur(sigma);
  const result = await image.extractChannel(0).raw().toBuffer();
  const smooth = new Float32Array(values.length);
  for (let pixel = 0; pixel < values.length; pixel++) smooth[pixel] = (result[pixel]! * maxSmoothed) / 255;
  return smooth;
}

import sharp from 'sharp';
import { writeFileAtomic } from '../base/index.js';
import { useBundledFont } from '../slides/index.js';
import { type DisplayMetadata, type MimeBundle, showBundle } from './display.js';

/** The font of every image; it is bundled, because a bare machine has none and would draw empty boxes. */
export const fontFamily = 'Source Sans 3';

/** Pixels of an image for each CSS px, so that it is sharp on a dense screen. */
export const pixelRatio = 2;

/** A rendered figure. */
export interface Figure {
  png: Uint8Array;
  /** CSS px; the PNG has `pixelRatio` times as many pixels. */
  width: number;
  height: number;
}

/** Draws SVG of a known size in CSS px. */
export async function drawSvg(svg: string): Promise<Figure> {
  useBundledFont();
  const drawn = await sharp(Buffer.from(svg), { density: 72 * pixelRatio, limitInputPixels: false })
    .flatten({ background: 'white' })
    .png()
    .toBuffer({ resolveWithObject: true });
  return {
    png: drawn.data,
    width: Math.round(drawn.info.width / pixelRatio),
    height: Math.round(drawn.info.height / pixelRatio),
  };
}

/** A figure as an output, with alternative text. */
export function figureBundle({ png, width, height }: Figure, alt: string): [MimeBundle, DisplayMetadata] {
  return [
    { 'text/plain': alt, 'image/png': Buffer.from(png).toString('base64') },
    { 'image/png': { width, height, alt } },
  ];
}

/**
 * Shows a PNG.
 *
 * @param options.alt what it shows, in words
 * @param options.save also writes it to this file
 * @param options.width CSS px; by default one for every `pixelRatio` pixels
 */
export async function showFigure(
  png: Uint8Array,
  options: { alt: string; save?: string; width?: number },
): Promise<void> {
  const pixels = await sharp(png).metadata();
  const width = options.width ?? Math.round(pixels.width / pixelRatio);
  if (options.save) await writeFileAtomic(options.save, png);
  showBundle(...figureBundle({ png, width, height: Math.round((width * pixels.height) / pixels.width) }, options.alt));
}

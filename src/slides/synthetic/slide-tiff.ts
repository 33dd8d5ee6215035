import sharp from 'sharp';
import type { RgbImage } from '../rgb-image.js';
import { withImageDescription } from './tiff-description.js';

/**
 * A slide's file: a tiled pyramidal JPEG TIFF that says its pixel size and what it is.
 *
 * @param options.blurPixels standard deviation of the scanner's blur, px; 0 for none
 */
export async function slideTiff(
  { pixels, width, height }: RgbImage,
  options: { umPerPixel: number; jpegQuality: number; blurPixels: number; description: string },
): Promise<Buffer> {
  const pixelsPerMillimeter = 1000 / options.umPerPixel;
  let image = sharp(pixels, { raw: { width, height, channels: 3 }, limitInputPixels: false });
  if (options.blurPixels) image = image.blur(options.blurPixels);
  const tiff = await image
    .tiff({
      compression: 'jpeg',
      quality: options.jpegQuality,
      pyramid: true,
      tile: true,
      tileWidth: 256,
      tileHeight: 256,
      xres: pixelsPerMillimeter,
      yres: pixelsPerMillimeter,
      resolutionUnit: 'cm',
    })
    .toBuffer();
  return withImageDescription(tiff, options.description);
}

import sharp from 'sharp';

/** RGB pixels, `[height, width, 3]`. */
export interface RgbImage {
  pixels: Uint8Array;
  width: number;
  height: number;
}

/** Resamples a picture to another size, without regard to its proportions. */
export async function resize(picture: RgbImage, width: number, height: number): Promise<RgbImage> {
  if (picture.width === width && picture.height === height) return picture;
  const raw = { width: picture.width, height: picture.height, channels: 3 as const };
  const pixels = await sharp(picture.pixels, { raw, limitInputPixels: false })
    .resize(width, height, { fit: 'fill', kernel: 'lanczos3' })
    .raw()
    .toBuffer();
  return { pixels, width, height };
}

/** OpenSlide's premultiplied BGRA, laid over the background, as RGB. */
export function overBackground(bgra: Buffer, background: readonly [number, number, number]): Uint8Array {
  const rgb = new Uint8Array((bgra.length / 4) * 3);
  for (let from = 0, to = 0; from < bgra.length; from += 4, to += 3) {
    const alpha = bgra[from + 3]!;
    rgb[to] = bgra[from + 2]!;
    rgb[to + 1] = bgra[from + 1]!;
    rgb[to + 2] = bgra[from]!;
    if (alpha === 255) continue;
    const open = (255 - alpha) / 255;
    for (let channel = 0; channel < 3; channel++) {
      rgb[to + channel] = Math.round(rgb[to + channel]! + open * background[channel]!);
    }
  }
  return rgb;
}

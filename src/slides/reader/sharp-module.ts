import type { default as Sharp } from 'sharp';

let loaded: typeof Sharp | undefined;

/** sharp, loaded when there is an image to decode: slides are read without it. */
export async function sharpModule(): Promise<typeof Sharp> {
  if (loaded) return loaded;
  const { default: sharp } = await import('sharp');
  // Nothing is read twice, and the other cores have processes of their own.
  sharp.cache(false);
  sharp.concurrency(1);
  // Whatever a file's first bytes are taken for, no decoder is entered that was not meant.
  sharp.block({ operation: ['VipsForeignLoad'] });
  sharp.unblock({ operation: ['Jpeg', 'Png', 'Tiff', 'Webp'].map((format) => `VipsForeignLoad${format}`) });
  loaded = sharp;
  return sharp;
}

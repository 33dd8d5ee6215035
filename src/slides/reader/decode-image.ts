import { open } from 'node:fs/promises';
import type { Metadata, Sharp, SharpOptions } from 'sharp';
import { paletteColor, parseTiff } from '../tiff/parse.js';
import { asFile, ImageError, imageFormats } from './image-header.js';
import type { ImageFacts, ImageForm } from './messages.js';
import { pngLabels } from './png-labels.js';
import { sharpModule } from './sharp-module.js';

/** A slide's smallest level has at most so many pixels. */
const smallestLevel = 2 ** 28;

/**
 * Decodes an image whose header was checked.
 *
 * @param input the image's bytes, or the path of its file
 * @returns without data where the image is not as it was asked for
 * @throws ImageError when it cannot be decoded
 */
export async function decodeImage(
  input: Buffer | string,
  form: ImageForm,
): Promise<{ facts: ImageFacts; data: Buffer | undefined }> {
  const sharp = await sharpModule();
  const opened = (page?: number) => sharp(input, { ...optionsOf(form), ...(page !== undefined && { page }) });
  const metadata = await opened()
    .metadata()
    .catch((error: Error) => {
      if (isOutOfMemory(error)) throw error;
      return undefined;
    });
  if (metadata?.format === undefined || !imageFormats.includes(metadata.format)) {
    throw new ImageError(`is not a ${imageFormats.join(', ')} image`);
  }
  const { format, width, height, depth, pages = 1 } = metadata;
  const facts: ImageFacts = { format, width, height, depth, pages };
  const bytesOf = (image: Sharp) =>
    image.toBuffer().catch((error: Error) => {
      if (isOutOfMemory(error)) throw error;
      throw new ImageError(`cannot be decoded: ${error.message}`);
    });
  switch (form.as) {
    case 'facts':
      return { facts, data: undefined };
    case 'jpeg':
    case 'png': {
      if (pages > 1 || width !== height || (width !== form.side && !form.resize)) return { facts, data: undefined };
      const { side, quality } = form;
      const rgb = opened().autoOrient().flatten({ background: '#ffffff' }).toColourspace('srgb');
      const sized = width === side ? rgb : rgb.resize(side, side, { fit: 'fill', kernel: 'lanczos3' });
      // Decoded in either case: an image that is cut short shows only then.
      const pixels = await bytesOf(sized.removeAlpha().raw());
      if (isPlain(metadata, form.as) && width === side && typeof input !== 'string') {
        return { facts: { ...facts, copied: true }, data: input };
      }
      const whole = sharp(pixels, { raw: { width: side, height: side, channels: 3 } });
      const encoded = form.as === 'png' ? whole.png() : whole.jpeg({ quality, chromaSubsampling: '4:4:4' });
      return { facts: { ...facts, copied: false }, data: await encoded.toBuffer() };
    }
    case 'labels':
      return {
        facts,
        data: (await storedValues(input, metadata)) ?? (await bytesOf(opened().extractChannel(0).raw())),
      };
    case 'rgb': {
      const { side } = form;
      const rgb = opened().flatten({ background: '#fff' }).toColourspace('srgb');
      const sized = side === undefined ? rgb : rgb.resize(side, side, { fit: 'fill' });
      return { facts, data: await bytesOf(sized.raw()) };
    }
    case 'gray': {
      const image = form.of === 'image' ? opened() : sharp(await bytesOf(await tissueOf(opened(pages - 1))));
      const gray = image.flatten({ background: '#fff' }).grayscale();
      return { facts, data: await bytesOf(gray.resize(form.side, form.side, { fit: 'fill' }).raw()) };
    }
  }
}

/**
 * Labels where they are not the red channel of what libvips gives: of a palette, and of fewer than eight bits.
 *
 * @throws ImageError for a palette in another format than PNG
 */
async function storedValues(input: Buffer | string, { format }: Metadata): Promise<Buffer | undefined> {
  if (format === 'tiff' && (await hasPalette(input))) {
    throw new ImageError('has a palette, which is supported in PNG only: write it as PNG, or as gray values');
  }
  return format === 'png' ? pngLabels(input) : undefined;
}

async function hasPalette(input: Buffer | string): Promise<boolean> {
  const file = typeof input === 'string' ? await open(input, 'r') : undefined;
  try {
    const tiff = await parseTiff(file ?? asFile(input as Buffer));
    return tiff?.directories.some(({ photometric }) => photometric === paletteColor) ?? false;
  } finally {
    await file?.close();
  }
}

/** A slide's smallest level without its glass. The levels above it may be of any size: they are not decoded. */
async function tissueOf(level: Sharp): Promise<Sharp> {
  const { width, height } = await level.metadata();
  if (width * height > smallestLevel) {
    throw new ImageError(`has no small level: its smallest is ${width} x ${height} px`);
  }
  return level.trim({ background: '#fff', threshold: 20 }).png();
}

function optionsOf({ as, limits, ...form }: ImageForm): SharpOptions {
  const options = { limitInputPixels: limits.pixels };
  if (as === 'rgb' || as === 'gray') return options;
  // A color profile is passed over, as slides' are; it would change labels as it changes colors.
  const plain = { ...options, ignoreIcc: true };
  return as === 'labels' && !('tolerant' in form && form.tolerant) ? plain : { ...plain, failOn: 'truncated' };
}

/** What is a patch of a shard as it stands. */
function isPlain({ format, space, channels, depth, orientation = 1 }: Metadata, wanted: 'jpeg' | 'png'): boolean {
  return format === wanted && space === 'srgb' && channels === 3 && depth === 'uchar' && orientation === 1;
}

/** libvips' words and Node's. */
export function isOutOfMemory({ message }: { message: string }): boolean {
  // A thread's stack is part of what a process may have.
  return /out of memory|allocation failed|unable to malloc|bad_alloc|cannot allocate|creating thread/i.test(message);
}

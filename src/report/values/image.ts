import sharp, { type Sharp } from 'sharp';
import type { Output } from '../display.js';
import { figureBundle } from '../figure.js';
import { isRawImage, isSharp, type RawImage } from './recognize-image.js';

const largest = 512; // CSS px of the longer side

/** An image, with its size as text. A large one is reduced. */
export async function imageOutput(value: Sharp | Uint8Array | RawImage): Promise<Output> {
  const image = isSharp(value) ? value.clone() : isRawImage(value) ? fromRaw(value) : sharp(value);
  // Encoded once in full, because a pipeline of sharp says its size only when it has run.
  const { data, info } = await image.png().toBuffer({ resolveWithObject: true });
  const channels = { 1: 'gray', 2: 'gray with alpha', 3: 'RGB', 4: 'RGBA' }[info.channels] ?? 'unknown channels';
  const words = `Image, ${info.width} x ${info.height} px, ${channels}`;
  const scale = Math.min(1, largest / Math.max(info.width, info.height));
  const width = Math.max(1, Math.round(info.width * scale));
  const height = Math.max(1, Math.round(info.height * scale));
  const png =
    scale < 1
      ? await sharp(data)
          .resize({ width: 2 * width, withoutEnlargement: true })
          .png()
          .toBuffer()
      : data;
  return figureBundle({ png, width, height }, words);
}

function fromRaw({ pixels, width, height }: RawImage): Sharp {
  const channels = (pixels.length / (width * height)) as 1 | 3 | 4;
  const bytes = Buffer.from(pixels.buffer, pixels.byteOffset, pixels.byteLength);
  const image = sharp(bytes, { raw: { width, height, channels } });
  return channels === 1 ? image.toColourspace('b-w') : image;
}

import type { Sharp } from 'sharp';

/** Pixels of one byte each in rows, with one (gray), three (RGB) or four channels (RGBA). */
export interface RawImage {
  pixels: Uint8Array | Uint8ClampedArray;
  width: number;
  height: number;
}

export function isSharp(value: object): value is Sharp {
  const sharp = value as Partial<Record<keyof Sharp, unknown>>;
  return value.constructor?.name === 'Sharp' && typeof sharp.toBuffer === 'function';
}

/** The bytes of a PNG or JPEG file. */
export function isEncodedImage(value: object): value is Uint8Array {
  if (!(value instanceof Uint8Array)) return false;
  const [first, second, third, fourth] = value;
  const isPng = first === 0x89 && second === 0x50 && third === 0x4e && fourth === 0x47;
  return isPng || (first === 0xff && second === 0xd8 && third === 0xff);
}

export function isRawImage(value: object): value is RawImage {
  const { pixels, width, height } = value as Partial<RawImage>;
  const bytes = pixels instanceof Uint8Array || pixels instanceof Uint8ClampedArray;
  if (!bytes || !Number.isInteger(width) || !Number.isInteger(height)) return false;
  return [1, 3, 4].includes(pixels.length / (width! * height!));
}

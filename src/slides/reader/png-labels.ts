import { readFile } from 'node:fs/promises';
import { inflateSync } from 'node:zlib';
import { ImageError } from './image-header.js';

/** Color types of PNG (W3C PNG, 11.2.1), in the byte behind its depth. */
const gray = 0;
const palette = 3;

/**
 * Values of a PNG as they are stored, where decoders of images give others: the index and not the color of a palette, and
 * gray values of fewer than eight bits without stretching them to 255.
 *
 * @param input the image's bytes, or the path of its file; its header was checked
 * @returns `[height, width]`; undefined where the image is no such PNG
 * @throws ImageError when it cannot be decoded
 */
export async function pngLabels(input: Buffer | string): Promise<Buffer | undefined> {
  const file = typeof input === 'string' ? await readFile(input) : input;
  if (file.toString('latin1', 12, 16) !== 'IHDR') return undefined;
  const [depth, color] = [file[24]!, file[25]!];
  if (color !== palette && !(color === gray && depth < 8)) return undefined;
  // Of the PNG libraries it is the one that gives indices; sharp and pngjs give colors.
  const { decode } = await import('fast-png');
  const isInterlaced = file[28] !== 0;
  if (isInterlaced && depth < 8) throw new ImageError('is interlaced: save it without interlacing');
  try {
    requireSize(file, isInterlaced ? 2 : 1);
    const { data, width, height } = decode(file, { checkCrc: true });
    return depth === 8 ? Buffer.from(data as Uint8Array) : unpacked(data as Uint8Array, { width, height, depth });
  } catch (error) {
    throw new ImageError(`cannot be decoded: ${(error as Error).message}`);
  }
}

/**
 * Inflates the pixels into no more room than the header's size needs: the decoder itself would make any.
 *
 * @param factor more room for what interlacing adds
 */
function requireSize(file: Buffer, factor: number): void {
  const [width, height] = [file.readUInt32BE(16), file.readUInt32BE(20)];
  const parts: Buffer[] = [];
  for (let at = 8; at + 12 <= file.length; at += 12 + file.readUInt32BE(at)) {
    if (file.toString('latin1', at + 4, at + 8) === 'IDAT') {
      parts.push(file.subarray(at + 8, at + 8 + file.readUInt32BE(at)));
    }
  }
  const rowBytes = 1 + Math.ceil((width * file[24]!) / 8);
  inflateSync(Buffer.concat(parts), { maxOutputLength: factor * height * rowBytes + 64 });
}

/** Values of fewer than eight bits, several a byte from the left, each row in bytes of its own. */
function unpacked(data: Uint8Array, { width, height, depth }: Record<'width' | 'height' | 'depth', number>): Buffer {
  const rowBytes = Math.ceil((width * depth) / 8);
  const values = Buffer.alloc(width * height);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const bit = column * depth;
      const byte = data[row * rowBytes + (bit >> 3)]!;
      values[row * width + column] = (byte >> (8 - depth - (bit & 7))) & (2 ** depth - 1);
    }
  }
  return values;
}

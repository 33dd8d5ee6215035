import { checkTiff } from '../tiff/check.js';
import { parseTiff, type TiffBytes } from '../tiff/parse.js';
import type { ImageLimits } from './messages.js';

/** What is wrong with an image, to be read after its name. */
export class ImageError extends Error {
  override name = 'ImageError';
}

export const imageFormats = ['jpeg', 'png', 'tiff', 'webp'];

/**
 * Holds what an image's header claims against the limits, so that no decoder sees an image that claims more: whatever
 * size it makes room for, the header says.
 *
 * @param start of the image: all of it, or as much as a header may take
 * @param all of it: a TIFF's directories lie anywhere
 * @throws ImageError
 */
export async function checkHeader(start: Buffer, all: TiffBytes, limits: ImageLimits): Promise<void> {
  for (const { width, height } of await claimedSizes(start, all)) {
    if (width > 0 && height > 0 && Math.max(width, height) <= limits.side && width * height <= limits.pixels) continue;
    throw new ImageError(
      `claims to be ${width} x ${height} px; it may have 1 to ${limits.side} px along a side and at most ` +
        `${limits.pixels} in all`,
    );
  }
}

/** Bytes in memory, to be read like a file. */
export function asFile(bytes: Buffer): TiffBytes {
  return {
    stat: async () => ({ size: bytes.length }),
    read: async (into, at, length, position) => ({ bytesRead: bytes.copy(into, at, position, position + length) }),
  };
}

interface Size {
  width: number;
  height: number;
}

async function claimedSizes(start: Buffer, all: TiffBytes): Promise<Size[]> {
  const size = pngSize(start) ?? jpegSize(start) ?? webpSize(start);
  if (size) return [size];
  try {
    const tiff = await parseTiff(all);
    if (tiff) checkTiff(tiff);
    if (tiff) return tiff.directories;
  } catch (error) {
    throw new ImageError((error as Error).message);
  }
  throw new ImageError(`is not a ${imageFormats.join(', ')} image`);
}

/** PNG's signature, then the chunk IHDR with the size (W3C PNG, 5.2 and 11.2.2). */
function pngSize(start: Buffer): Size | undefined {
  if (start.length < 24 || start.toString('latin1', 0, 8) !== '\x89PNG\r\n\x1a\n') return undefined;
  if (start.toString('latin1', 12, 16) !== 'IHDR') throw new ImageError('is a PNG that does not begin with its size');
  return { width: start.readUInt32BE(16), height: start.readUInt32BE(20) };
}

/** Markers of frames (ITU-T T.81, table B.1): C0 to CF without C4, C8 and CC. */
const isFrame = (marker: number) => marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);

/** JPEG's size is in its frame's header, which follows any number of other segments. */
function jpegSize(start: Buffer): Size | undefined {
  if (start.length < 3 || start.readUIntBE(0, 3) !== 0xffd8ff) return undefined;
  for (let at = 2; at + 9 <= start.length; ) {
    const marker = start[at + 1]!;
    if (start[at] !== 0xff) break;
    if (isFrame(marker)) return { height: start.readUInt16BE(at + 5), width: start.readUInt16BE(at + 7) };
    // Fill bytes before a marker, and markers that stand alone.
    if (marker === 0xff) at += 1;
    else if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8)) at += 2;
    else at += 2 + start.readUInt16BE(at + 2);
  }
  throw new ImageError('is a JPEG that does not say its size, or is cut short before it does');
}

/** WebP's first chunk says the size: lossy, lossless or extended (RFC 9649, section 2). */
function webpSize(start: Buffer): Size | undefined {
  if (start.length < 30 || start.toString('latin1', 0, 4) !== 'RIFF' || start.toString('latin1', 8, 12) !== 'WEBP') {
    return undefined;
  }
  switch (start.toString('latin1', 12, 16)) {
    case 'VP8 ':
      return { width: start.readUInt16LE(26) & 0x3fff, height: start.readUInt16LE(28) & 0x3fff };
    case 'VP8L': {
      const bits = start.readUInt32LE(21);
      return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
    }
    case 'VP8X':
      return { width: start.readUIntLE(24, 3) + 1, height: start.readUIntLE(27, 3) + 1 };
    default:
      throw new ImageError('is a WebP that does not begin with its size');
  }
}

import { constants } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import sharp, { type Metadata, type Sharp } from 'sharp';
import { jpegQuality } from './dataset.js';

const formats = ['jpeg', 'png', 'tiff', 'webp'];
/** Of a patch's file, and of its side. */
const mostBytes = 2 ** 28;
const mostPixels = 8192;

/** A patch's image that was decoded, so that it is known to be whole. */
export interface ReadyImage {
  jpeg: Uint8Array;
  /** Whether these are the file's own bytes; else it was encoded anew. */
  asGiven: boolean;
  /** Side of the file's picture, px. */
  side: number;
}

/** What is wrong with one patch; its neighbours do not suffer from it. */
export class PatchFault extends Error {
  override name = 'PatchFault';
}

/** Side of a patch's picture by its header, px; nothing is decoded. */
export async function sideOf(path: string): Promise<number> {
  return checkPicture(path, await metadataOf(path, await bytesOf(path)));
}

/**
 * Reads a user's patch. A JPEG of 8-bit RGB that has the size asked for is taken as it is; anything else becomes one, at
 * the quality of slides' patches, without chroma subsampling; transparent places become white.
 *
 * @param pixels side of the image, px
 * @param mayResize whether a picture of another size is resized (Lanczos); else it is refused
 * @throws PatchFault that says what is wrong with the picture; system errors as they are, when the file cannot be read
 */
export async function readyImage(path: string, pixels: number, mayResize: boolean): Promise<ReadyImage> {
  const bytes = await bytesOf(path);
  const metadata = await metadataOf(path, bytes);
  const side = checkPicture(path, metadata);
  if (side !== pixels && !mayResize) {
    throw new PatchFault(
      `${basename(path)} is ${side} x ${side} px and the first patch ${pixels} x ${pixels} px: ask for a size (--size), and ` +
        'all that differ are resized to it',
    );
  }
  const { format, space, channels, depth, orientation = 1 } = metadata;
  const plain = format === 'jpeg' && space === 'srgb' && channels === 3 && depth === 'uchar' && orientation === 1;
  const picture = opened(bytes).autoOrient().flatten({ background: '#ffffff' }).toColourspace('srgb');
  const resized = side === pixels ? picture : picture.resize(pixels, pixels, { fit: 'fill', kernel: 'lanczos3' });
  const asGiven = plain && side === pixels;
  // Decoded in either case: a picture that is cut short shows only then.
  const { data, info } = await decoded(path, resized.removeAlpha().raw());
  const raw = { width: info.width, height: info.height, channels: 3 as const };
  const jpeg = asGiven
    ? bytes
    : await sharp(data, { raw }).jpeg({ quality: jpegQuality, chromaSubsampling: '4:4:4' }).toBuffer();
  return { jpeg, asGiven, side };
}

/**
 * Values of a patch's mask, nearest neighbour at another size.
 *
 * @param side of the patch's own picture, px, which the mask must have too
 * @param pixels side asked for, px
 */
export async function readyMask(path: string, side: number, pixels: number): Promise<Uint8Array> {
  const bytes = await bytesOf(path);
  const { width, height } = await metadataOf(path, bytes);
  if (width !== side || height !== side) {
    throw new PatchFault(`its mask ${basename(path)} is ${width} x ${height} px and the patch ${side} x ${side} px`);
  }
  // A palette's colors, or none; the class's value is red.
  const { data } = await decoded(path, opened(bytes).extractChannel(0).raw());
  const values = new Uint8Array(pixels * pixels);
  for (let at = 0; at < values.length; at++) {
    const [x, y] = [at % pixels, Math.floor(at / pixels)].map((place) => Math.floor(((place + 0.5) * side) / pixels));
    values[at] = data[y! * side + x!]!;
  }
  return values;
}

function opened(bytes: Buffer) {
  // A color profile is passed over, as slides' are; in a mask it would change labels.
  return sharp(bytes, { failOn: 'truncated', limitInputPixels: mostPixels ** 2, ignoreIcc: true });
}

async function bytesOf(path: string): Promise<Buffer> {
  const flag = constants.O_RDONLY | constants.O_NOFOLLOW;
  const bytes = await readFile(path, { flag }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') throw new PatchFault(`there is no file ${basename(path)}`);
    if (error.code === 'ELOOP') {
      throw new PatchFault(`${basename(path)} is a symbolic link, which is not followed: put the file itself there`);
    }
    throw error;
  });
  if (bytes.length === 0) throw new PatchFault(`${basename(path)} is empty (0 bytes)`);
  if (bytes.length > mostBytes)
    throw new PatchFault(`${basename(path)} is too large for a patch: ${bytes.length} bytes`);
  return bytes;
}

async function metadataOf(path: string, bytes: Buffer): Promise<Metadata> {
  const metadata = await opened(bytes)
    .metadata()
    .catch(() => undefined);
  if (metadata?.format !== undefined && formats.includes(metadata.format)) return metadata;
  throw new PatchFault(`${basename(path)} is no ${formats.join(', ')} picture`);
}

function checkPicture(path: string, { width, height, pages = 1 }: Metadata): number {
  if (pages > 1) throw new PatchFault(`${basename(path)} holds ${pages} pictures; a patch is one`);
  if (width !== height) throw new PatchFault(`${basename(path)} is ${width} x ${height} px; patches are square`);
  return width;
}

async function decoded(path: string, picture: Sharp) {
  return picture.toBuffer({ resolveWithObject: true }).catch((error: Error) => {
    throw new PatchFault(`${basename(path)} cannot be decoded: ${error.message}`);
  });
}

import { basename } from 'node:path';
import { type DecodedImage, type ImageFacts, type ImageOutcome, readImageFiles } from '../../slides/index.js';
import { jpegQuality } from '../shards/index.js';

/** Of a patch's file, which is one image: whatever it claims beyond this is not decoded. */
const limits = { side: 8192, pixels: 8192 ** 2 };

/** What libvips calls values of more than 8 bits. */
const depthWords: Record<string, string> = {
  ...{ ushort: '16-bit values', short: '16-bit values', uint: '32-bit values', int: '32-bit values' },
  ...{ float: 'floating-point values', double: 'floating-point values' },
};

/** Formats of images that may change values; WebP does not say in its header which of the two it is. */
const lossy = ['jpeg', 'webp'];

/** A patch's image that was decoded, so that it is known to be whole. */
export interface PrecutImage {
  image: Uint8Array;
  /** Whether these are the file's own bytes; else it was encoded anew. */
  copied: boolean;
  /** Side of the file's image, px. */
  side: number;
}

/** Values of a patch's mask, `[side, side]`. */
export interface PrecutMask {
  values: Uint8Array;
  width: number;
  height: number;
}

/** What is wrong with one patch; its neighbours do not suffer from it. */
export class PatchFault extends Error {
  override name = 'PatchFault';
}

/** Side of a patch's image by its header, px; nothing is decoded. */
export async function sideOf(path: string): Promise<number> {
  for await (const outcome of readImageFiles([path], { as: 'facts', limits })) {
    return checkImage(path, imageOf(path, outcome).facts);
  }
  throw new Error(`${path} was not read`);
}

/**
 * Reads a user's patches. A JPEG of 8-bit RGB that has the size asked for is taken as it is; anything else becomes one, at
 * the quality of slides' patches, without chroma subsampling; transparent places become white. With `lossless` a PNG of 8-bit RGB
 * is taken as it is, and anything else becomes one.
 *
 * @param pixels side of the images, px
 * @param mayResize whether images of another size are resized (Lanczos); else they are refused
 * @yields for each path its image, or what is wrong with it
 * @throws InterruptedError when `signal` aborts; system errors as they are, when a file cannot be read
 */
export async function* precutImages(
  paths: readonly string[],
  {
    pixels,
    mayResize,
    lossless,
    signal,
  }: { pixels: number; mayResize: boolean; lossless: boolean; signal?: AbortSignal },
): AsyncGenerator<PrecutImage | PatchFault, void, undefined> {
  const form = {
    as: lossless ? 'png' : 'jpeg',
    side: pixels,
    resize: mayResize,
    quality: jpegQuality,
    limits,
  } as const;
  yield* outcomesOf(paths, readImageFiles(paths, form, { signal }), (path, { facts, data }) => {
    requireBytes(path, facts);
    const side = checkImage(path, facts);
    if (side !== pixels && !mayResize) {
      throw new PatchFault(
        `${basename(path)} is ${side} x ${side} px and the first patch ${pixels} x ${pixels} px: ask for a size (--size), ` +
          'and all that differ are resized to it',
      );
    }
    return { image: data, copied: facts.copied!, side };
  });
}

/** An image that patches are to be cut from. */
export interface WholeImage {
  /** RGB, `[height, width, 3]`. */
  pixels: Uint8Array;
  width: number;
  height: number;
}

/**
 * Reads images whole; transparent places become white.
 *
 * @yields for each path its pixels, or what is wrong with it
 */
export function wholeImages(
  paths: readonly string[],
  signal?: AbortSignal,
): AsyncGenerator<WholeImage | PatchFault, void, undefined> {
  return outcomesOf(paths, readImageFiles(paths, { as: 'rgb', limits }, { signal }), (path, { facts, data }) => {
    requireBytes(path, facts);
    if (facts.pages > 1) throw new PatchFault(`${basename(path)} holds ${facts.pages} images; a patch is of one`);
    return { pixels: data, width: facts.width, height: facts.height };
  });
}

/**
 * Reads patches' masks: the class's value is a palette's index, the gray value or red.
 *
 * @yields for each path its values, or what is wrong with it
 */
export function precutMasks(
  paths: readonly string[],
  signal?: AbortSignal,
): AsyncGenerator<PrecutMask | PatchFault, void, undefined> {
  const outcomes = readImageFiles(paths, { as: 'labels', tolerant: true, limits }, { signal });
  return outcomesOf(paths, outcomes, (path, { facts: { format, depth, width, height }, data }) => {
    if (depth !== 'uchar') throw new PatchFault(`its mask ${basename(path)} holds ${depth} values; labels are bytes`);
    if (lossy.includes(format)) {
      throw new PatchFault(`its mask ${basename(path)} is ${format}, which may change labels; write it as PNG`);
    }
    return { values: data, width, height };
  });
}

/**
 * A mask's values at another size, nearest neighbour.
 *
 * @param side of the patch's own image, px, which the mask must have too
 * @param pixels side asked for, px
 */
export function valuesOf(
  path: string,
  { values, width, height }: PrecutMask,
  side: number,
  pixels: number,
): Uint8Array {
  if (width !== side || height !== side) {
    throw new PatchFault(`its mask ${basename(path)} is ${width} x ${height} px and the patch ${side} x ${side} px`);
  }
  const sized = new Uint8Array(pixels * pixels);
  for (let at = 0; at < sized.length; at++) {
    const [x, y] = [at % pixels, Math.floor(at / pixels)].map((place) => Math.floor(((place + 0.5) * side) / pixels));
    sized[at] = values[y! * side + x!]!;
  }
  return sized;
}

async function* outcomesOf<Result>(
  paths: readonly string[],
  outcomes: AsyncIterable<ImageOutcome>,
  resultOf: (path: string, read: DecodedImage) => Result,
): AsyncGenerator<Result | PatchFault, void, undefined> {
  let place = 0;
  for await (const outcome of outcomes) {
    const path = paths[place++]!;
    try {
      yield resultOf(path, imageOf(path, outcome));
    } catch (error) {
      if (!(error instanceof PatchFault)) throw error;
      yield error;
    }
  }
}

function imageOf(path: string, outcome: ImageOutcome): DecodedImage {
  if ('facts' in outcome) return outcome;
  if ('fault' in outcome) throw new PatchFault(`${basename(path)} ${outcome.fault}`);
  const { code, message } = outcome.unreadable;
  if (code === 'ENOENT') throw new PatchFault(`there is no file ${basename(path)}`);
  if (code === 'ELOOP') {
    throw new PatchFault(`${basename(path)} is a symbolic link, which is not followed: put the file itself there`);
  }
  throw Object.assign(new Error(message), { code });
}

function requireBytes(path: string, { depth }: ImageFacts): void {
  if (depth === 'uchar') return;
  throw new PatchFault(
    `${basename(path)} holds ${depthWords[depth] ?? depth}, and patches hold 8 bits: write it so, from the range that its ` +
      'values use (12 bits in 16 would come out nearly black)',
  );
}

function checkImage(path: string, { width, height, pages }: ImageFacts): number {
  if (pages > 1) throw new PatchFault(`${basename(path)} holds ${pages} images; a patch is one`);
  if (width !== height) {
    throw new PatchFault(
      `${basename(path)} is ${width} x ${height} px; patches are square: with --tile PX such images are cut into patches`,
    );
  }
  return width;
}

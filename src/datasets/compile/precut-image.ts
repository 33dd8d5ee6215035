import { basename } from 'node:path';
import { type DecodedImage, type ImageFacts, type ImageOutcome, readImageFiles } from '../../slides/index.js';
import { jpegQuality } from '../shards/index.js';

/** Limits of a patch's file; larger images are not decoded. */
const limits = { side: 8192, pixels: 8192 ** 2 };

/** libvips' names of types of more than 8 bits. */
const depthWords: Record<string, string> = {
  ...{ ushort: '16-bit values', short: '16-bit values', uint: '32-bit values', int: '32-bit values' },
  ...{ float: 'floating-point values', double: 'floating-point values' },
};

/** Lossy formats; a WebP header does not tell lossy from lossless. */
const lossy = ['jpeg', 'webp'];

/** A patch's image, decoded and so known to be complete. */
export interface PrecutImage {
  image: Uint8Array;
  /** Whether these are the file's bytes; otherwise it was re-encoded. */
  copied: boolean;
  /** Size of the file's image, px. */
  side: number;
}

/** Values of a patch's mask, `[side, side]`. */
export interface PrecutMask {
  values: Uint8Array;
  width: number;
  height: number;
}

/** The error of one patch, which does not affect others. */
export class PatchFault extends Error {
  override name = 'PatchFault';
}

/** Size of a patch's image from its header, px. */
export async function sideOf(path: string): Promise<number> {
  for await (const outcome of readImageFiles([path], { as: 'facts', limits })) {
    const { facts } = imageOf(path, outcome);
    requireBytes(path, facts);
    return checkImage(path, facts);
  }
  throw new Error(`${path} was not read`);
}

/**
 * Reads a user's patches. An 8-bit RGB JPEG of the requested size is copied; other images are encoded as one, at the
 * quality of slides' patches, without chroma subsampling; transparent areas become white. With `lossless`, an 8-bit RGB
 * PNG is copied, and other images are encoded as one.
 *
 * @param pixels image size, px
 * @param mayResize whether images of another size are resized (Lanczos) or refused
 * @yields for each path its image, or its error
 * @throws InterruptedError when `signal` aborts; system errors when a file cannot be read
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
        `${basename(path)} is ${side} x ${side} px, but the first patch is ${pixels} x ${pixels} px: set a size (--size) ` +
          'to resize all patches to it',
      );
    }
    return { image: data, copied: facts.copied!, side };
  });
}

/** An image to cut patches from. */
export interface WholeImage {
  /** RGB, `[height, width, 3]`. */
  pixels: Uint8Array;
  width: number;
  height: number;
}

/**
 * Reads whole images; transparent areas become white.
 *
 * @yields for each path its pixels, or its error
 */
export function wholeImages(
  paths: readonly string[],
  signal?: AbortSignal,
): AsyncGenerator<WholeImage | PatchFault, void, undefined> {
  return outcomesOf(paths, readImageFiles(paths, { as: 'rgb', limits }, { signal }), (path, { facts, data }) => {
    requireBytes(path, facts);
    if (facts.pages > 1) throw new PatchFault(`${basename(path)} holds ${facts.pages} images; a patch has one`);
    return { pixels: data, width: facts.width, height: facts.height };
  });
}

/**
 * Reads patches' masks: the value is the palette index, the gray value or red.
 *
 * @yields for each path its values, or its error
 */
export function precutMasks(
  paths: readonly string[],
  signal?: AbortSignal,
): AsyncGenerator<PrecutMask | PatchFault, void, undefined> {
  const outcomes = readImageFiles(paths, { as: 'labels', tolerant: true, limits }, { signal });
  return outcomesOf(paths, outcomes, (path, { facts: { format, depth, width, height }, data }) => {
    if (depth !== 'uchar')
      throw new PatchFault(
        `its mask ${basename(path)} holds ${depthWords[depth] ?? depth}; write class numbers with 8 bits`,
      );
    if (lossy.includes(format)) {
      throw new PatchFault(`its mask ${basename(path)} is ${format}, which may change labels; write it as PNG`);
    }
    return { values: data, width, height };
  });
}

/**
 * A mask's values resized, nearest neighbor.
 *
 * @param side size of the patch's image, px, which the mask must have too
 * @param pixels requested size, px
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
  if (code === 'ENOENT') throw new PatchFault(`the file ${basename(path)} is missing`);
  if (code === 'ELOOP') {
    throw new PatchFault(`${basename(path)} is a symbolic link, which is not followed: use the file itself`);
  }
  throw Object.assign(new Error(message), { code });
}

function requireBytes(path: string, { depth }: ImageFacts): void {
  if (depth === 'uchar') return;
  throw new PatchFault(
    `${basename(path)} holds ${depthWords[depth] ?? depth}, but patches need 8 bits: scale the range of its values to 8 bits ` +
      '(12-bit values stored in 16 bits would otherwise turn nearly black)',
  );
}

function checkImage(path: string, { width, height, pages }: ImageFacts): number {
  if (pages > 1) throw new PatchFault(`${basename(path)} holds ${pages} images; a patch has one`);
  if (width !== height) {
    throw new PatchFault(
      `${basename(path)} is ${width} x ${height} px; patches are square: cut such images into patches with --tile PX`,
    );
  }
  return width;
}

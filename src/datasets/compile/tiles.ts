import sharp, { type Sharp } from 'sharp';
import { findTissue, tissuePresets } from '../../slides/index.js';
import { jpegQuality } from '../shards/index.js';
import type { PrecutMask, WholeImage } from './precut-image.js';

/** How images are cut into patches. */
export interface TileSettings {
  /** Side of a patch, px. */
  side: number;
  /** From one patch to the next, px; below the size, patches overlap. */
  stride: number;
  /** The rest behind the last patch: covered by a patch that is moved inwards, or dropped. */
  edge: 'shift' | 'drop';
  /** Minimum tissue fraction of a patch; by default all are kept. */
  minimumTissue?: number;
}

/** Pixel size for the tissue mask, since images do not give it: that of 20x, um. */
const assumedPixel = 0.5;

/** A patch of an image. */
export interface Tile {
  /** Its corner in the image, px. */
  x: number;
  y: number;
  image: Uint8Array;
  /** Of its mask, `[side, side]`. */
  values: Uint8Array | undefined;
}

/** @throws RangeError that names the option, what it takes, and what it got */
export function tileSettings(options: {
  tile?: number;
  stride?: number;
  edge?: string;
  minimumTissue?: number;
}): TileSettings | null {
  const { tile: side, stride = side, edge = 'shift', minimumTissue } = options;
  if (side === undefined) {
    if (options.stride === undefined && options.edge === undefined && minimumTissue === undefined) return null;
    throw new RangeError('stride, edge and minimum tissue apply to tiles: give the tile size too (--tile)');
  }
  const isWhole = (value: unknown) =>
    Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= 8192;
  if (!isWhole(side)) throw new RangeError(`the tile size must be an integer from 1 to 8192 px; got ${side}`);
  if (!isWhole(stride)) throw new RangeError(`the stride of tiles must be an integer from 1 to 8192 px; got ${stride}`);
  if (edge !== 'shift' && edge !== 'drop') throw new RangeError(`edge is shift or drop; got ${JSON.stringify(edge)}`);
  if (minimumTissue !== undefined && !(minimumTissue >= 0 && minimumTissue <= 1)) {
    throw new RangeError(`the minimum tissue must be a fraction from 0 to 1; got ${minimumTissue}`);
  }
  return { side, stride: stride!, edge, ...(minimumTissue !== undefined && { minimumTissue }) };
}

/** Tile positions along one side of an image, px; none if it is shorter than a tile. */
function tileStarts(length: number, { side, stride, edge }: TileSettings): number[] {
  const last = length - side;
  if (last < 0) return [];
  const starts = Array.from({ length: Math.floor(last / stride) + 1 }, (_, place) => place * stride);
  return edge === 'drop' || starts.at(-1) === last ? starts : [...starts, last];
}

/** The tiles of an image with enough tissue, row by row, encoded like patches of slides, or as PNG. */
export async function* tilesOf(
  { pixels, width, height }: WholeImage,
  mask: PrecutMask | undefined,
  { lossless, ...settings }: TileSettings & { lossless: boolean },
): AsyncGenerator<Tile> {
  const { side, minimumTissue } = settings;
  const tissue =
    minimumTissue && (await findTissue({ pixels, width, height }, assumedPixel, tissuePresets.pathlab)).tissue;
  for (const y of tileStarts(height, settings)) {
    for (const x of tileStarts(width, settings)) {
      if (tissue) {
        const own = cutOut(tissue, width, { x, y, side, channels: 1 });
        if (own.reduce((sum, pixel) => sum + pixel, 0) < minimumTissue * side ** 2) continue;
      }
      const rgb = cutOut(pixels, width, { x, y, side, channels: 3 });
      const image = await encoded(sharp(rgb, { raw: { width: side, height: side, channels: 3 } }), lossless).toBuffer();
      yield { x, y, image, values: mask && cutOut(mask.values, width, { x, y, side, channels: 1 }) };
    }
  }
}

function encoded(image: Sharp, lossless: boolean): Sharp {
  return lossless ? image.png() : image.jpeg({ quality: jpegQuality, chromaSubsampling: '4:4:4' });
}

function cutOut(
  pixels: Uint8Array,
  width: number,
  { x, y, side, channels }: { x: number; y: number; side: number; channels: number },
): Uint8Array {
  const part = new Uint8Array(side * side * channels);
  for (let row = 0; row < side; row++) {
    const from = ((y + row) * width + x) * channels;
    part.set(pixels.subarray(from, from + side * channels), row * side * channels);
  }
  return part;
}

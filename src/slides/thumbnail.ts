import { inParallel } from '../base/index.js';
import { type GridBlock, gridBlocks } from './blocks.js';
import type { RgbImage } from './rgb-image.js';

/** What a thumbnail needs of a slide. */
interface ThumbnailSource {
  readonly width: number;
  readonly height: number;
  readonly mpp: number;
  readonly levels: readonly { readonly downsample: number }[];
  readonly parallelReads: number;
  levelFor(mpp: number): number;
  readManyAt(
    regions: readonly { x: number; y: number }[],
    options: { width: number; height: number; mpp: number; margin?: boolean },
  ): Promise<Uint8Array[]>;
}

/** The whole slide, small. */
export interface Thumbnail extends RgbImage {
  /** Size of its pixels, um. */
  umPerPixel: number;
  /** Level-0 pixels for each of its pixels, along a side. */
  downsample: number;
}

/** One read covers at most about this many pixels of the level along a side, whatever the slide's size. */
const readSide = 2048;

/**
 * The whole slide as an image whose longer side is at most `maxSize` pixels; never larger than the slide. It is read
 * in blocks, so that a slide with one huge level takes time but not memory.
 */
export async function thumbnail(slide: ThumbnailSource, maxSize: number): Promise<Thumbnail> {
  if (!(Number.isSafeInteger(maxSize) && maxSize > 0)) {
    throw new RangeError(`a thumbnail's size is a whole number of pixels above 0; got ${maxSize}`);
  }
  const downsample = Math.max(1, Math.max(slide.width, slide.height) / maxSize);
  const width = Math.max(1, Math.round(slide.width / downsample));
  const height = Math.max(1, Math.round(slide.height / downsample));
  const mpp = slide.mpp * downsample;
  const shrinks = downsample / slide.levels[slide.levelFor(mpp)]!.downsample;
  const side = Math.max(1, Math.min(Math.floor(readSide / shrinks), Math.max(width, height)));
  const pixels = new Uint8Array(width * height * 3);
  const read = async ({ column, row, across, down }: GridBlock) => {
    const [block] = await slide.readManyAt([{ x: column * downsample, y: row * downsample }], {
      ...{ width: across, height: down, mpp, margin: true },
    });
    for (let line = 0; line < down; line++) {
      const from = 3 * line * across;
      pixels.set(block!.subarray(from, from + 3 * across), 3 * ((row + line) * width + column));
    }
  };
  await inParallel(gridBlocks({ columns: width, rows: height }, side), read, slide.parallelReads);
  return { pixels, width, height, umPerPixel: mpp, downsample };
}

import type { RgbImage } from './rgb-image.js';
import type { Slide } from './slide.js';

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
 * The whole slide as a picture whose longer side is at most `maxSize` pixels; never larger than the slide. It is read
 * in blocks, so that a slide with one huge level takes time but not memory.
 */
export async function thumbnail(slide: Slide, maxSize: number): Promise<Thumbnail> {
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
  const blocks: { column: number; row: number }[] = [];
  for (let row = 0; row < height; row += side) {
    for (let column = 0; column < width; column += side) blocks.push({ column, row });
  }
  let next = 0;
  const readInTurn = async () => {
    while (next < blocks.length) {
      const { column, row } = blocks[next++]!;
      const across = Math.min(side, width - column);
      const down = Math.min(side, height - row);
      const [block] = await slide.readManyAt([{ x: column * downsample, y: row * downsample }], {
        ...{ width: across, height: down, mpp, margin: true },
      });
      for (let line = 0; line < down; line++) {
        const from = 3 * line * across;
        pixels.set(block!.subarray(from, from + 3 * across), 3 * ((row + line) * width + column));
      }
    }
  };
  const readers = await Promise.allSettled(Array.from({ length: slide.parallelReads }, readInTurn));
  for (const reader of readers) if (reader.status === 'rejected') throw reader.reason;
  return { pixels, width, height, umPerPixel: mpp, downsample };
}

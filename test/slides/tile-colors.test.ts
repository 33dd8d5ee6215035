import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openSlide } from '../../src/slides/index.js';
import { openSlideLibrary } from '../../src/slides/library.js';
import { tiffOf, tiledImage } from './tiff-file.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pathlab-colors-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const side = 256;
const [rgb, ycbcr] = [2, 6];

/** A JPEG of three components without a marker that says their colors. */
async function jpegTile(): Promise<Buffer> {
  const pixels = Buffer.alloc(side * side * 3);
  for (let at = 0; at < side * side; at++) pixels.set([at % side, at >> 8, 128 + (at % 64)], 3 * at);
  const jpeg = await sharp(pixels, { raw: { width: side, height: side, channels: 3 } })
    .jpeg({ quality: 95, chromaSubsampling: '4:4:4' })
    .toBuffer();
  expect(jpeg.readUInt16BE(2)).toBe(0xffdb);
  return jpeg;
}

/** Puts a marker with these bytes at the start of a JPEG. */
function withMarker(jpeg: Buffer, marker: number, ...content: number[]): Buffer {
  const head = Buffer.from([0xff, marker, 0, content.length + 2, ...content]);
  return Buffer.concat([jpeg.subarray(0, 2), head, jpeg.subarray(2)]);
}

const withJfif = (jpeg: Buffer) => withMarker(jpeg, 0xe0, ...Buffer.from('JFIF\0'), 1, 1, 0, 0, 1, 0, 1, 0, 0);
const withAdobe = (jpeg: Buffer, transform: number) =>
  withMarker(jpeg, 0xee, ...Buffer.from('Adobe'), 0, 100, 0, 0, 0, 0, transform);

/** A slide of one tile. */
function slideOf(name: string, tile: Buffer, photometric: number): string {
  const tags = (at: number) =>
    tiffOf([
      tiledImage(side, side, [
        { tag: 262, type: 3, values: [photometric] },
        { tag: 324, type: 4, values: [at] },
        { tag: 325, type: 4, values: [tile.length] },
      ]),
    ]);
  const path = join(folder, name);
  writeFileSync(path, Buffer.concat([tags(tags(0).length), tile]));
  return path;
}

/** The whole slide as OpenSlide itself gives it. */
function throughOpenSlide(path: string): Uint8Array {
  const library = openSlideLibrary();
  const handle = library.open(path);
  const bgra = Buffer.alloc(side * side * 4);
  library.readRegion(handle, bgra, 0, 0, 0, side, side);
  expect(library.error(handle)).toBeNull();
  library.close(handle);
  return Uint8Array.from({ length: side * side * 3 }, (_, at) => bgra[4 * Math.floor(at / 3) + 2 - (at % 3)]!);
}

it.each<[string, number, (jpeg: Buffer) => Buffer]>([
  ['RGB with a JFIF marker', rgb, withJfif],
  ["RGB with Adobe's word for YCbCr", rgb, (jpeg) => withAdobe(jpeg, 1)],
  ['YCbCr with a JFIF marker', ycbcr, withJfif],
  ["YCbCr with Adobe's word for RGB", ycbcr, (jpeg) => withAdobe(jpeg, 0)],
])("a tile's colors are what TIFF says, whatever its JPEG says: %s", async (name, photometric, change) => {
  const path = slideOf(`${name.replace(/\W/g, '-')}.tif`, change(await jpegTile()), photometric);
  const slide = await openSlide(path, { mpp: 0.5 });
  expect(slide.levels[0]!.reader).toBe('jpeg');
  const { pixels } = await slide.readRegion({ x: 0, y: 0, level: 0, width: side, height: side });
  await slide.close();
  expect(Buffer.from(pixels).equals(Buffer.from(throughOpenSlide(path)))).toBe(true);
});

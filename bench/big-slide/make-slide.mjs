import { open } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { key } from '../../dist/base/index.js';
import { syntheticDataset } from '../../dist/datasets/index.js';
import { openSlide } from '../../dist/slides/index.js';

const tile = 256;

/**
 * Writes a tiled JPEG pyramid of any size, sparsely: every tile of tissue is one of eight images, cut from a synthetic
 * slide, and every tile of glass is the same one. Levels are a quarter of each other, as in scanners' files. An ellipse
 * of tissue fills about half of the slide.
 *
 * @param {string} folder where the slide and what it is made from go
 * @param {number} width level-0 px
 * @param {number} height level-0 px
 */
export async function writeBigSlide(folder, width, height) {
  const images = await tileImages(join(folder, 'tissue'));
  const levels = [];
  for (let scale = 1; scale === 1 || width / scale >= 2000; scale *= 4) {
    levels.push([Math.ceil(width / scale), Math.ceil(height / scale)]);
  }
  const places = (at) =>
    images.map((_, index) => at + images.slice(0, index).reduce((sum, one) => sum + one.length, 0));
  const tiff = (at) =>
    tiffOf(levels.map(([across, down], level) => directoryOf(across, down, level, images, places(at))));
  const path = join(folder, 'big.tif');
  const file = await open(path, 'w');
  try {
    const head = tiff(tiff(0).length);
    await file.writeFile(Buffer.concat([head, ...images]));
  } finally {
    await file.close();
  }
  return path;
}

/** JPEGs of glass, and of eight places in tissue. */
async function tileImages(folder) {
  const jpeg = (image) => image.jpeg({ quality: 80, chromaSubsampling: '4:4:4' }).toBuffer();
  const glass = sharp({ create: { width: tile, height: tile, channels: 3, background: '#f0f0f2' } });
  const images = [await jpeg(glass)];
  const options = { kind: 'ptcga200', patients: 1, classes: 1, columns: 4, rows: 2 };
  const { slides } = await syntheticDataset(options, key('big slide'), { folder });
  const slide = await openSlide(slides[0].path);
  try {
    const [left, top] = [slide.width / 2, slide.height / 2].map(Math.round);
    for (const [column, row] of [-2, -1, 0, 1].flatMap((x) => [-1, 0].map((y) => [x, y]))) {
      const region = { x: left + column * 350, y: top + row * 350, level: 0, width: tile, height: tile };
      const { pixels } = await slide.readRegion(region);
      images.push(await jpeg(sharp(pixels, { raw: { width: tile, height: tile, channels: 3 } })));
    }
  } finally {
    await slide.close();
  }
  return images;
}

function directoryOf(width, height, level, images, places) {
  const [columns, rows] = [Math.ceil(width / tile), Math.ceil(height / tile)];
  const random = key('tiles').fold(level).generator();
  const picked = Array.from({ length: columns * rows }, (_, index) => {
    const [x, y] = [
      (2 * ((index % columns) + 0.5)) / columns - 1,
      (2 * (Math.floor(index / columns) + 0.5)) / rows - 1,
    ];
    return x * x + y * y < 0.65 ? 1 + random.integer(images.length - 1) : 0;
  });
  const [short, long] = [3, 4];
  return [
    [254, long, [level > 0 ? 1 : 0]],
    [256, long, [width]],
    [257, long, [height]],
    [258, short, [8, 8, 8]],
    [259, short, [7]],
    [262, short, [6]],
    [277, short, [3]],
    [322, long, [tile]],
    [323, long, [tile]],
    [324, long, picked.map((image) => places[image])],
    [325, long, picked.map((image) => images[image].length)],
  ];
}

/** A little-endian classic TIFF of these directories, each leading to the next (TIFF 6.0, section 2). */
function tiffOf(directories) {
  const head = Buffer.from('II*\0\x08\0\0\0', 'latin1');
  const parts = [head];
  let at = head.length;
  for (const [index, tags] of directories.entries()) {
    const table = Buffer.alloc(2 + 12 * tags.length + 4);
    const values = [];
    let valuesAt = at + table.length;
    table.writeUInt16LE(tags.length, 0);
    for (const [entry, [tag, type, numbers]] of tags.entries()) {
      const size = type === 3 ? 2 : 4;
      const content = Buffer.alloc(Math.max(4, numbers.length * size));
      for (const [place, number] of numbers.entries()) content.writeUIntLE(number, place * size, size);
      const start = 2 + 12 * entry;
      table.writeUInt16LE(tag, start);
      table.writeUInt16LE(type, start + 2);
      table.writeUInt32LE(numbers.length, start + 4);
      if (content.length === 4) content.copy(table, start + 8);
      else {
        table.writeUInt32LE(valuesAt, start + 8);
        values.push(content);
        valuesAt += content.length;
      }
    }
    table.writeUInt32LE(index === directories.length - 1 ? 0 : valuesAt, table.length - 4);
    parts.push(table, ...values);
    at = valuesAt;
  }
  return Buffer.concat(parts);
}

import sharp from 'sharp';
import { expect, test } from 'vitest';
import { key } from '../../src/base/index.js';
import { drawImageGrid, toGridImages } from '../../src/report/index.js';
import { expectFigure } from './figures.js';

/** Flat colours, so that a pixel of the drawn grid tells which image lies there. */
function flat(width: number, height: number, color: readonly [number, number, number]): Uint8Array {
  return Uint8Array.from({ length: width * height * 3 }, (_, index) => color[(index % 3) as 0 | 1 | 2]);
}

test('a grid of patches with row titles, captions and marks looks as it did', async () => {
  const noise = key(3).generator();
  const images = Uint8Array.from(
    { length: 6 * 32 * 32 * 3 },
    (_, index) => 120 + 60 * (Math.floor(index / 96) % 2) + noise.integer(40),
  );
  const gridImages = toGridImages(images, { height: 32, width: 32 }, (index) => ({
    caption: `patch <${index}>`,
    ...(index < 3 ? { mark: 'synthetic' } : {}),
  }));
  const grid = await drawImageGrid(gridImages, {
    columns: 3,
    alt: 'six patches',
    title: 'Patches & views',
    rowTitles: ['patch', 'view'],
  });
  await expectFigure(grid, 'image-grid');
});

test('images come in rows, keep their proportions and their colours', async () => {
  const grid = await drawImageGrid(
    [
      { pixels: flat(20, 20, [255, 0, 0]), width: 20, height: 20 },
      { pixels: flat(40, 20, [0, 255, 0]), width: 40, height: 20 },
      { pixels: flat(10, 10, [0, 0, 255]), width: 10, height: 10 },
    ],
    { columns: 2, alt: 'three colours', cell: 50 },
  );
  const { data, info } = await sharp(grid.png).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  const at = (x: number, y: number) => {
    const start = (2 * y * info.width + 2 * x) * 3;
    return [...data.subarray(start, start + 3)];
  };
  expect(at(12 + 25, 12 + 25)).toEqual([255, 0, 0]);
  expect(at(12 + 56 + 25, 12 + 12)).toEqual([0, 255, 0]);
  expect(at(12 + 56 + 25, 12 + 40)).toEqual([255, 255, 255]);
  expect(at(12 + 25, 12 + 56 + 25)).toEqual([0, 0, 255]);
});

test('a long caption ends where its image does', async () => {
  const cell = 230;
  const image = { pixels: flat(20, 20, [255, 0, 0]), width: 20, height: 20 };
  const long = { ...image, caption: 'test: synthetic_tumor_004_2-double-3/13 (20 bits)' };
  const grid = await drawImageGrid([long, long], { columns: 2, alt: 'two', cell });
  const { data, info } = await sharp(grid.png).removeAlpha().grayscale().raw().toBuffer({ resolveWithObject: true });
  const inkIn = (from: number, to: number) => {
    let least = 255;
    for (let y = 2 * (12 + cell + 1); y < info.height; y++) {
      for (let x = 2 * from; x < 2 * to; x++) least = Math.min(least, data[y * info.width + x]!);
    }
    return least < 200;
  };
  expect([inkIn(12, 12 + cell), inkIn(12 + cell, 12 + cell + 6), inkIn(12 + 2 * cell + 6, 24 + 2 * cell + 6)]).toEqual([
    true,
    false,
    false,
  ]);
});

test('bytes that do not fit the size are refused', async () => {
  expect(() => toGridImages(new Uint8Array(100), { height: 4, width: 4 })).toThrow(
    'not a whole number of 4 x 4 RGB images',
  );
  const short = { pixels: new Uint8Array(10), width: 4, height: 4 };
  await expect(drawImageGrid([short], { columns: 1, alt: '' })).rejects.toThrow('needs 48 bytes; got 10');
  await expect(drawImageGrid([], { columns: 1, alt: '' })).rejects.toThrow('at least one image');
});

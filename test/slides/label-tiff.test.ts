import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { key } from '../../src/base/index.js';
import { type LabelTiffOptions, LabelTiffWriter, openLabelImage, openSlide } from '../../src/slides/index.js';
import { parseTiff } from '../../src/slides/tiff/parse.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pathlab-label-tiff-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const [width, height] = [1100, 700];
const random = key('label tiff').generator();
const labels = Uint8Array.from({ length: width * height }, () => random.integer(256));

/** Writes the labels, some rows at a time. */
async function write(name: string, rows: number, options: Partial<LabelTiffOptions> = {}): Promise<string> {
  const path = join(folder, name);
  const about = { width, height, umPerPixel: 0.5, description: 'labels of a test', ...options };
  const writer = await LabelTiffWriter.create(path, about);
  for (let row = 0; row < height; row += rows) {
    await writer.write(labels.subarray(row * width, Math.min(height, row + rows) * width));
  }
  await writer.finish();
  return path;
}

describe('LabelTiffWriter', () => {
  it.each([
    ['a classic TIFF', false],
    ['a BigTIFF', true],
  ])('writes %s that libtiff, OpenSlide and the project read, at every level', async (_, big) => {
    const path = await write(`read-${big}.tif`, 64, { big });
    const sizes = [
      [1100, 700],
      [275, 175],
      [69, 44],
    ] as const;
    let finer: { data: Uint8Array; width: number; height: number } = { data: labels, width, height };
    for (const [page, [across, down]] of sizes.entries()) {
      const { data, info } = await sharp(path, { page })
        .toColourspace('b-w')
        .raw()
        .toBuffer({ resolveWithObject: true });
      expect([info.width, info.height, info.channels]).toEqual([across, down, 1]);
      // Each pixel is one of the 4 x 4 before it.
      const expected = page === 0 ? labels : every(finer, across, down);
      expect(Buffer.compare(data, expected)).toBe(0);
      finer = { data, width: across, height: down };
    }
    await expect(sharp(path, { page: sizes.length }).raw().toBuffer()).rejects.toThrow(/page/);

    const slide = await openSlide(path);
    expect(slide.levels.map((level) => [level.width, level.height])).toEqual(sizes);
    expect(slide.mpp).toBeCloseTo(0.5, 9);
    const source = await openLabelImage(path, slide);
    expect(await source.read({ x: 0, y: 0, width, height, pixelSize: 1 })).toEqual(labels);
    await source.close();
    await slide.close();

    const file = await open(path, 'r');
    const { directories } = (await parseTiff(file))!;
    await file.close();
    expect(directories.map(({ samples, bitsPerSample, tile }) => [samples, bitsPerSample, tile?.width])).toEqual(
      sizes.map(() => [1, [8], 256]),
    );
    expect(readFileSync(path).readUInt16LE(2)).toBe(big ? 43 : 42);
  });

  it('writes the same bytes however many rows come at a time', async () => {
    const [one, many] = [await write('one.tif', 1), await write('all.tif', height)];
    expect(readFileSync(one).equals(readFileSync(many))).toBe(true);
  });

  it('is a BigTIFF where a classic one could not hold it', async () => {
    const versionOf = async (side: number) => {
      const path = join(folder, 'large.tif');
      const size = { width: side, height: side, umPerPixel: 0.25, description: '' };
      const writer = await LabelTiffWriter.create(path, size);
      const partial = readdirSync(folder).find((name) => name.startsWith('large.tif.'))!;
      const version = readFileSync(join(folder, partial)).readUInt16LE(2);
      await writer.abandon();
      return version;
    };
    expect(await versionOf(60_000)).toBe(42);
    expect(await versionOf(70_000)).toBe(43);
  });

  it('refuses rows that are none, and too few; what is abandoned leaves nothing', async () => {
    const path = join(folder, 'abandoned.tif');
    const writer = await LabelTiffWriter.create(path, { width: 10, height: 3, umPerPixel: 1, description: '' });
    await writer.write(new Uint8Array(20));
    await expect(writer.write(new Uint8Array(5))).rejects.toThrow(
      /5 labels are not rows of 10 among the 1 that are left/,
    );
    await expect(writer.write(new Uint8Array(20))).rejects.toThrow(/20 labels are not rows of 10/);
    await expect(writer.finish()).rejects.toThrow('2 of 3 rows of labels were written');
    await writer.abandon();
    expect(readdirSync(folder).filter((name) => name.startsWith('abandoned'))).toEqual([]);
    const none = LabelTiffWriter.create(path, { width: 0, height: 3, umPerPixel: 1, description: '' });
    await expect(none).rejects.toThrow(/above 0; got 0 x 3/);
  });
});

/** The middle pixel of each 4 x 4, or the last there is. */
function every(finer: { data: Uint8Array; width: number; height: number }, across: number, down: number): Buffer {
  return Buffer.from(
    Array.from({ length: across * down }, (_, pixel) => {
      const column = Math.min(finer.width - 1, 4 * (pixel % across) + 2);
      const row = Math.min(finer.height - 1, 4 * Math.floor(pixel / across) + 2);
      return finer.data[row * finer.width + column]!;
    }),
  );
}

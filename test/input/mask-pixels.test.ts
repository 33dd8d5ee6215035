import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { compileDataset, openShardDataset, readEncoded, type ShardDataset } from '../../src/datasets/index.js';
import { countMaskPixels, inverseFrequencies } from '../../src/input/index.js';
import { smallDataset, temporaryFolder } from '../datasets/small-dataset.js';
import { maskDataset } from '../finetune/mask-dataset.js';

let dataset: ShardDataset;
beforeAll(async () => {
  dataset = await maskDataset(19);
});

describe('countMaskPixels', () => {
  it('counts the px of each class, of all patches or of some', async () => {
    const masks = await Promise.all(
      (
        await readEncoded(
          dataset,
          Array.from({ length: 19 }, (_, row) => row),
        )
      ).map(({ mask }) => sharp(mask!).toColorspace('b-w').raw().toBuffer()),
    );
    const expected = (rows: number[]) =>
      [0, 1, 2].map((label) =>
        rows.reduce((sum, row) => sum + masks[row]!.filter((value) => value === label).length, 0),
      );
    expect(Array.from(await countMaskPixels(dataset))).toEqual(expected([...masks.keys()]));
    expect(Array.from(await countMaskPixels(dataset, { patches: [18, 3] }))).toEqual(expected([18, 3]));
    expect(expected([3]).reduce((sum, count) => sum + count)).toBe(64 * 64);
  });

  it('refuses a value that is no class, and names patch, place and classes', async () => {
    // As if its classes had become fewer after it was compiled.
    const fewer = { ...dataset, classNames: dataset.classNames.slice(0, 2) };
    await expect(countMaskPixels(fewer)).rejects.toThrow(
      /the mask of patch \d+ of .* \(\S+\) has the value 2 at row \d+, column \d+, which is none of its 2 classes \(0 background, 1 round\); compile it again/,
    );
  });

  it('refuses patches without masks', async () => {
    const { folder } = await compileDataset(await smallDataset(1), { data: temporaryFolder() });
    await expect(countMaskPixels(await openShardDataset(folder))).rejects.toThrow(
      /has no mask, but masks were requested/,
    );
  });
});

describe('inverseFrequencies', () => {
  it('gives every class that there is the same sum, and an absent one none', () => {
    const weights = inverseFrequencies([300, 100, 0, 600]);
    expect([...weights]).toEqual([1000 / 900, 1000 / 300, 0, 1000 / 1800].map((weight) => expect.closeTo(weight, 6)));
    expect([...inverseFrequencies([0, 0])]).toEqual([0, 0]);
  });
});

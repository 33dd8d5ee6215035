import { beforeAll, describe, expect, it } from 'vitest';
import { compileDataset, openShardDataset, type ShardDataset } from '../../src/datasets/index.js';
import type { Features } from '../../src/evaluate/index.js';
import { BatchSource } from '../../src/input/index.js';
import { drawImageGrid, showFeatureMap, showNearest } from '../../src/report/index.js';
import { smallDataset, temporaryFolder } from '../datasets/small-dataset.js';
import { openKernel, saidBy } from './kernel.js';

let dataset: ShardDataset;
beforeAll(async () => {
  const { folder } = await compileDataset(await smallDataset(24), { data: temporaryFolder() });
  dataset = await openShardDataset(folder);
});

/** Features that know a code of each patch, and where it lies in the source. */
function telling(codes: ArrayLike<number>): Features {
  const width = Math.max(...Array.from(codes)) + 2;
  const values = new Float32Array(codes.length * width);
  Array.from(codes).forEach((code, row) => {
    values[row * width + code] = 1;
    values[row * width + width - 1] = row / 1000;
  });
  return { values, count: codes.length, width };
}

describe('showNearest', () => {
  it('frames the neighbors of the same class and of others, and counts them', async () => {
    const rows = Array.from(dataset.labels.keys());
    const labelled = rows.filter((row) => dataset.labels[row]! >= 0);
    const source = (patches: number[]) => new BatchSource(dataset, { patches, batchSize: 4 });
    const [known, heldOut] = [0, 1].map((side) => source(labelled.filter((_, place) => place % 2 === side)));
    const shown = async (features: { known: Features; heldOut: Features }) => {
      const messages = openKernel();
      await showNearest(features, { dataset, known: known!, heldOut: heldOut! }, { neighbors: 2, maxPatches: 4 });
      return saidBy(messages)[0];
    };
    const oracle = { known: telling(known!.labels), heldOut: telling(heldOut!.labels) };
    const words =
      /^(\d) held-out patches, each with the 2 training .* similar; (\d+) of these (\d+) are of the same class$/;
    const [, patches, right, all] = words.exec((await shown(oracle))!)!.map(Number);
    expect([right, all]).toEqual([all, 2 * patches!]);
    const classes = dataset.classNames.length;
    const wrong = { ...oracle, heldOut: telling(heldOut!.labels.map((label) => (label + 1) % classes)) };
    expect(Number(words.exec((await shown(wrong))!)![2])).toBe(0);
  });
});

describe('showFeatureMap', () => {
  it('shows the same map by class and by site, if there are several', async () => {
    const patches = new BatchSource(dataset, { batchSize: 8 });
    const of = async (sites: ShardDataset['sites']) => {
      const messages = openKernel();
      const { rows, labels, count } = patches;
      await showFeatureMap(
        telling(labels.map((label) => label + 1)),
        { dataset: { ...dataset, sites }, rows, labels, count },
        { seed: 1 },
      );
      return saidBy(messages)[0]!;
    };
    const codes = Int32Array.from({ length: dataset.count }, (_, row) => (row % 10) - 1);
    const names = Array.from('ABCDEFGHI');
    // Nine sites and a patch without: six and two that share a color.
    expect(await of({ codes, names })).toMatch(
      /; By class: map of \d+ patches .*; By site: map of \d+ patches \(A \d.*other sites \d+, site not known \d+\)$/,
    );
    expect(await of({ codes: codes.map(() => 0), names: ['A'] })).not.toContain('By site');
  });
});

it('a frame lies on the edges of its image, dashed or not, and not on others', async () => {
  const pixels = new Uint8Array(20 * 20 * 3).fill(128);
  const image = { pixels, width: 20, height: 20 };
  const color = '#0072B2';
  const sharp = (await import('sharp')).default;
  const shareOn = async (frame?: { color: string; dashed: boolean }) => {
    const { png } = await drawImageGrid([{ ...image, frame }], { columns: 1, alt: 'one', cell: 60 });
    const { data } = await sharp(png).removeAlpha().raw().toBuffer({ resolveWithObject: true });
    let blue = 0;
    for (let at = 0; at < data.length; at += 3) if (data[at]! < 20 && data[at + 2]! > 150) blue++;
    return blue / (2 * 2 * 4 * (4 * 60 - 16));
  };
  expect(await shareOn()).toBe(0);
  expect(await shareOn({ color, dashed: false })).toBeCloseTo(1, 1);
  const dashed = await shareOn({ color, dashed: true });
  expect(dashed).toBeGreaterThan(0.4);
  expect(dashed).toBeLessThan(0.8);
});

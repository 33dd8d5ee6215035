import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileDataset } from '../../src/datasets/index.js';
import { pretrainExperiment, pretrainingData } from '../../src/experiments/index.js';
import { smallDataset } from '../datasets/small-dataset.js';

let top: string;
beforeAll(() => {
  top = mkdtempSync(join(tmpdir(), 'pretraining-data-'));
});
afterAll(() => rmSync(top, { recursive: true, force: true }));

/** Shards of four slides, of which the first so many have a class. */
async function shards(labelled: number): Promise<string> {
  const data = await smallDataset(4);
  const slides = data.slides.map((slide, place) => ({ ...slide, class: place < labelled ? slide.class : null }));
  return (await compileDataset({ ...data, slides }, { data: join(top, String(labelled)) })).folder;
}
const opened = async (notebook: string, labelled: number) =>
  pretrainingData(pretrainExperiment(notebook, { scale: 'smoke', data: await shards(labelled), batchSize: 4 }));

describe('the data of a pretraining', () => {
  it('are the patches with a class where the method learns from them, every class equally often', async () => {
    const { train, split } = await opened('10-pretrain-supervised', 4);
    expect(train.labels.every((label) => label >= 0)).toBe(true);
    const counts = new Map<number, number>();
    for (let step = 0; step < 200; step++) {
      for (const row of train.patchesOf(step)) {
        const label = train.dataset.labels[row]!;
        counts.set(label, (counts.get(label) ?? 0) + 1);
      }
    }
    const shares = [...counts.values()].map((count) => count / 800);
    for (const share of shares) expect(share).toBeCloseTo(1 / counts.size, 1);
    expect(split.train.length).toBeGreaterThanOrEqual(train.count);
  });

  it('are all patches for other methods, with a class or without', async () => {
    const { train, bank } = await opened('15-pretrain-mae', 0);
    expect(train.labels.every((label) => label === -1)).toBe(true);
    expect(bank).toBeNull();
  });

  it('and their split are the same for every seed, the order of training is not', async () => {
    const data = await shards(4);
    const of = (seed: number) =>
      pretrainingData(pretrainExperiment('11-pretrain-simclr', { scale: 'smoke', data, batchSize: 4, seed }));
    const [one, other] = [await of(1), await of(2)];
    expect(other.split.sha256).toBe(one.split.sha256);
    expect(other.heldOut.identity).toBe(one.heldOut.identity);
    expect(other.bank!.identity).toBe(one.bank!.identity);
    expect(other.viewed.identity).toBe(one.viewed.identity);
    expect(other.train.rows).toEqual(one.train.rows);
    expect(other.train.patchesOf(0)).not.toEqual(one.train.patchesOf(0));
  });

  it('whose views are compared are drawn from all held-out ones, not the first of them', async () => {
    const data = await smallDataset(36);
    const { folder } = await compileDataset(data, { data: join(top, 'many') });
    const experiment = pretrainExperiment('11-pretrain-simclr', { scale: 'smoke', data: folder, batchSize: 4 });
    const { viewed, heldOut, known, bank, watched } = await pretrainingData(experiment);
    expect(heldOut.count).toBeGreaterThan(64);
    expect(viewed.count).toBe(64);
    expect(viewed.rows.every((row) => heldOut.rows.includes(row))).toBe(true);
    expect(viewed.rows).not.toEqual(heldOut.rows.slice(0, 64));
    expect([known === bank, watched.bank === bank, watched.heldOut === heldOut]).toEqual([true, true, true]);
  });

  it('are refused to a method that learns from classes where there are none', async () => {
    await expect(opened('10-pretrain-supervised', 0)).rejects.toThrow(
      /Supervised learns from classes, and .* has no patches with a class to train on; use data with classes, or/,
    );
  });
});

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { groupsOf } from '../../src/evaluate/index.js';
import {
  type FineTuneParameters,
  fineTuneExperiment,
  fineTuningData,
  pretrainExperiment,
  pretrainingData,
  trainingPatches,
} from '../../src/experiments/index.js';
import { splitOf } from '../../src/experiments/pretraining-data.js';
import { patientShards } from './patient-shards.js';

let top: string;
let data: string;
beforeAll(async () => {
  top = mkdtempSync(join(tmpdir(), 'finetune-data-'));
  data = await patientShards(join(top, 'sixteen'), 16);
}, 60_000);
afterAll(() => rmSync(top, { recursive: true, force: true }));

const experimentOf = (asked: Partial<FineTuneParameters> = {}) =>
  fineTuneExperiment('20-finetune-ptcga200', { scale: 'smoke', data, batchSize: 4, ...asked });
const opened = (asked?: Partial<FineTuneParameters>) => fineTuningData(experimentOf(asked));
const patientsIn = (of: Awaited<ReturnType<typeof opened>>, rows: Int32Array) =>
  new Set(groupsOf({ dataset: of.dataset, rows }).names);

describe('the data of a fine-tuning', () => {
  it('have test patients in no fold, and folds that partition the training patients', async () => {
    const of = await opened({ folds: 3 });
    const test = patientsIn(of, of.test.rows);
    const seen: string[] = [];
    for (const { train, validation } of of.folds.get(1)!) {
      const [trained, held] = [patientsIn(of, train), patientsIn(of, validation)];
      for (const patient of test) expect(trained.has(patient) || held.has(patient)).toBe(false);
      for (const patient of held) expect(trained.has(patient)).toBe(false);
      expect(trained.size + held.size).toBe(of.available);
      expect(train.length + validation.length).toBe(of.split.train.length);
      seen.push(...held);
    }
    expect(seen).toHaveLength(of.available);
    expect(new Set(seen).size).toBe(of.available);
  });

  it('have the test patches that pretraining pages hold out, for every seed and number of labels', async () => {
    const pretraining = await pretrainingData(
      pretrainExperiment('11-pretrain-simclr', { scale: 'smoke', data, batchSize: 4 }),
    );
    for (const asked of [{}, { seed: 5, labels: 5, folds: 1 }]) {
      const { split, test, by, ofPretraining } = await opened(asked);
      expect([by, ofPretraining]).toEqual(['patients', false]);
      expect(split.sha256).toBe(pretraining.split.sha256);
      expect(test.rows).toEqual(pretraining.split.heldOut);
    }
  });

  it('hold out a third at every scale, and of PTCGA200 the share of the paper, on pretraining pages too', async () => {
    const experiment = pretrainExperiment('11-pretrain-simclr', { scale: 'paper', data, batchSize: 4 });
    const [small, paper, pretraining] = [
      await opened(),
      await opened({ scale: 'paper' }),
      await pretrainingData(experiment),
    ];
    expect(paper.split.sha256).toBe(small.split.sha256);
    expect(pretraining.split.sha256).toBe(small.split.sha256);
    // Sixty patients of two patches, in turn of two classes.
    const every = <Value>(of: (row: number) => Value) => Array.from({ length: 120 }, (_, row) => of(row));
    const groups = {
      codes: Int32Array.from(every((row) => row >> 1)),
      names: every((row) => `patient ${row}`).slice(60),
    };
    const shareOf = (name: string, scale: 'demo' | 'paper') => {
      const { train, heldOut } = splitOf(
        {
          ...{ ...small.dataset, count: 120, classNames: ['one', 'other'], slides: groups, patients: groups },
          labels: Int32Array.from(every((row) => (row >> 1) % 2)),
          report: { ...small.dataset.report, dataset: name },
        },
        scale,
      );
      return heldOut.length / (train.length + heldOut.length);
    };
    expect(shareOf('mine', 'paper')).toBeCloseTo(1 / 3, 1);
    expect(shareOf('ptcga200', 'demo')).toBeCloseTo(1 / 3, 1);
    expect(shareOf('ptcga200', 'paper')).toBeLessThan(0.06);
  });

  it('have nested labels that keep the classes, and train on all of them in one fold', async () => {
    const [few, more] = [await opened({ labels: 4, folds: 1 }), await opened({ labels: 7, folds: 1 })];
    const [fold, larger] = [few, more].map(({ folds }) => folds.get(1)![0]!);
    const [one, other] = [patientsIn(few, fold!.train), patientsIn(more, larger!.train)];
    expect([one.size, other.size, few.labelled, fold!.validation.length]).toEqual([4, 7, 4, 0]);
    for (const patient of one) expect(other.has(patient)).toBe(true);
    const { labels } = few.dataset;
    expect(new Set(fold!.train.map((row) => labels[row]!)).size).toBe(4);
  });

  it('have other labels for each seed, whichever is the first, and the same folds where all labels are used', async () => {
    const [of, later] = [
      await opened({ labels: 6, folds: 1, seeds: 3 }),
      await opened({ labels: 6, folds: 1, seed: 3 }),
    ];
    const drawn = [1, 2, 3].map((seed) => [...patientsIn(of, of.folds.get(seed)![0]!.train)].sort().join());
    expect(new Set(drawn).size).toBe(3);
    expect([...patientsIn(later, later.folds.get(3)![0]!.train)].sort().join()).toBe(drawn[2]);
    const { folds } = await opened({ folds: 2, seeds: 2 });
    expect(folds.get(2)).toEqual(folds.get(1));
  });

  it('come in an order that the seed decides, and the arm does not', async () => {
    const of = await opened({ seeds: 2 });
    const order = (seed: number) => trainingPatches(experimentOf(), of, { fold: 0, seed }).patchesOf(0);
    expect(order(1)).toEqual(order(1));
    expect(order(2)).not.toEqual(order(1));
  });

  it('are the labelled patches alone, and have no class of which there is no patch', async () => {
    const classOf = (_: number, kind: string) => (kind === 'papillary' ? null : kind);
    const lacking = await patientShards(join(top, 'lacking'), 12, { classOf });
    const { dataset, understood, folds, test } = await opened({ data: lacking, folds: 1 });
    expect([...dataset.labels]).toContain(-1);
    for (const rows of [test.rows, folds.get(1)![0]!.train])
      expect(rows.every((row) => dataset.labels[row]! >= 0)).toBe(true);
    expect(dataset.classNames).toEqual(['acinar', 'diffuse', 'nested']);
    expect(understood.join(' ')).toMatch(/3 classes: acinar \(24\), diffuse \(24\), nested \(24\)/);
  }, 60_000);

  it('are refused with the reason where they are too few, or have no classes', async () => {
    await expect(opened({ labels: 99 })).rejects.toThrow(/labels is at most 1\d, the training patients; got 99/);
    await expect(opened({ folds: 99 })).rejects.toThrow(/99 folds need as many patients, and there are labels of 1\d/);
    await expect(opened({ labels: 3, folds: 1 })).rejects.toThrow(
      /fold 1 of 1 has nothing to train on of "\w+", among the labels of 3 patients: take more labels/,
    );
    const without = await patientShards(join(top, 'without'), 4, { classOf: () => null });
    await expect(opened({ data: without })).rejects.toThrow(
      /learns from classes, and .* has no patches with one to train on/,
    );
    const masks = fineTuneExperiment('30-segment-segpanda200', { scale: 'smoke', data });
    await expect(fineTuningData(masks)).rejects.toThrow(
      /learns from masks, and .* has no patches with one to train on/,
    );
    const one = await patientShards(join(top, 'one'), 1);
    await expect(opened({ data: one })).rejects.toThrow(
      /all patches with a class are of one patient, patient-0: it cannot be in both parts/,
    );
    // One patient to train on.
    const two = await patientShards(join(top, 'two'), 2);
    await expect(opened({ data: two, folds: 2 })).rejects.toThrow(
      /2 folds need as many patients, and there are labels of 1/,
    );
  }, 60_000);
});

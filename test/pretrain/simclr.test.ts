import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { selfSupervisedViews } from '../../src/augment/index.js';
import { InterruptedError, key } from '../../src/base/index.js';
import { compileDataset, openShardDataset, type ShardDataset } from '../../src/datasets/index.js';
import { disposeTensors, type Precision, readSafetensors, tf } from '../../src/engine/index.js';
import { accuracyMonitor, collapseMonitor, type Encoder } from '../../src/evaluate/index.js';
import { BatchSource } from '../../src/input/index.js';
import { resnet } from '../../src/models/index.js';
import {
  measureCost,
  type PretrainOptions,
  type PretrainSettings,
  pretrain,
  simclr,
  untrainedEncoder,
} from '../../src/pretrain/index.js';
import type { TrainingEvent } from '../../src/training/index.js';
import { smallDataset } from '../datasets/small-dataset.js';

const folders: string[] = [];
const freshFolder = () => {
  folders.push(mkdtempSync(join(tmpdir(), 'simclr-')));
  return folders.at(-1)!;
};
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

const views = { ...selfSupervisedViews(32), blur: { probability: 0.5, sigma: [0.1, 0.5], kernelSize: 3 } as const };
const method = simclr({
  backbone: resnet({ depth: 18, width: 0.125 }),
  ...{ views, hiddenSize: 32, outputSize: 16, temperature: 0.2 },
});
const settings: PretrainSettings = {
  seed: 1,
  epochs: 3,
  optimizer: 'sgd',
  learningRate: 0.1,
  warmup: 0.1,
  momentum: 0.9,
  weightDecay: 1e-6,
  precision: 'float32',
  evaluationCrop: 1,
};

let dataset: ShardDataset;
beforeAll(async () => {
  const { folder } = await compileDataset(await smallDataset(4), { data: freshFolder() });
  dataset = await openShardDataset(folder);
});

const batches = (options: { memory?: number } = {}) =>
  new BatchSource(dataset, { batchSize: 8, key: key(1).fold('order'), imageSize: 32, ...options });

const contents = ({ model }: Encoder) =>
  Object.entries({ ...model.parameters, ...model.state }).map(([name, tensor]) => [name, [...tensor.dataSync()]]);

/** Stops after so many steps, the way a user does. */
function interruptAfter(steps: number, options: PretrainOptions) {
  const controller = new AbortController();
  const onEvent = (event: TrainingEvent) => {
    if (event.kind === 'step' && event.step === steps) controller.abort();
  };
  return pretrain(method, { ...options, onEvent, signal: controller.signal });
}

describe('pretraining with SimCLR', () => {
  it('learns to find the other view, and leaves no tensors but those of the model', async () => {
    const before = tf.memory().numTensors;
    const losses: number[] = [];
    const onEvent = (event: TrainingEvent) => void (event.kind === 'step' && losses.push(event.loss));
    const { encoder, model, steps } = await pretrain(method, {
      ...{ settings: { ...settings, epochs: 12 }, batches: batches(), onEvent },
    });
    expect(steps).toBe(12 * Math.floor(dataset.count / 8));
    expect(losses).toHaveLength(steps);
    const mean = (values: number[]) => values.reduce((a, b) => a + b) / values.length;
    expect(mean(losses.slice(-6))).toBeLessThan(mean(losses.slice(0, 6)) - 0.2);
    const { parameters, state } = model;
    expect(Object.keys(encoder.model.parameters)[0]).toBe('conv1.weight');
    expect(tf.memory().numTensors).toBe(before + Object.keys(parameters).length + Object.keys(state).length);
    disposeTensors(parameters, state);
  });

  it.each<[Precision, number | undefined]>([
    ['float32', undefined],
    ['float32', 0],
    ['bfloat16', undefined],
    ['bfloat16', 0],
  ])('in %s with memory %s gives the undisturbed run after an interrupt, bit for bit', async (precision, memory) => {
    const options = { settings: { ...settings, precision }, batches: batches({ memory }) };
    const whole = await pretrain(method, options);
    const checkpoint = { folder: freshFolder(), everySteps: 100, identity: { code: 'this' } };
    await expect(interruptAfter(5, { ...options, checkpoint })).rejects.toThrow(InterruptedError);
    const events: TrainingEvent[] = [];
    const onEvent = (event: TrainingEvent) => void events.push(event);
    // A run from memory may go on from shards.
    const resumed = await pretrain(method, { ...options, checkpoint, onEvent, batches: batches({ memory: 0 }) });
    expect(events[0]).toMatchObject({ kind: 'resumed', step: 5 });
    expect(contents(resumed.encoder)).toEqual(contents(whole.encoder));
  });

  it('refuses the checkpoint of other settings, views, batches or code, and names what differs', async () => {
    const checkpoint = { folder: freshFolder(), everySteps: 100, identity: { code: 'this' } };
    const options = { settings, batches: batches(), checkpoint };
    await expect(interruptAfter(2, options)).rejects.toThrow(InterruptedError);
    const others: [RegExp, () => Promise<unknown>][] = [
      [
        /differs in settings \(.*there.*here\)/,
        () => pretrain(method, { ...options, settings: { ...settings, epochs: 4 } }),
      ],
      [
        /differs in code \(this there, another here\)/,
        () => pretrain(method, { ...options, checkpoint: { ...checkpoint, identity: { code: 'another' } } }),
      ],
      [/differs in views/, () => pretrain({ ...method, views: [{ ...views, grayscale: 0 }, views] }, options)],
      [
        /differs in batches/,
        () =>
          pretrain(method, {
            ...options,
            batches: new BatchSource(dataset, { batchSize: 8, key: key(2), imageSize: 32 }),
          }),
      ],
    ];
    for (const [message, refused] of others) await expect(refused()).rejects.toThrow(message);
  });

  it('runs its monitors at their own intervals, on the backbone as it is', async () => {
    const labelled = Array.from(dataset.labels.keys()).filter((row) => dataset.labels[row]! >= 0);
    const [bank, queries] = [0, 1].map(
      (part) =>
        new BatchSource(dataset, { batchSize: 8, imageSize: 32, patches: labelled.filter((_, at) => at % 2 === part) }),
    ) as [BatchSource, BatchSource];
    const events: TrainingEvent[] = [];
    await pretrain(method, {
      settings,
      batches: batches(),
      monitors: [
        accuracyMonitor({ bank, queries, neighbors: 3, everySteps: 6 }),
        collapseMonitor({ patches: queries, everySteps: 4 }),
      ],
      onEvent: (event) => void events.push(event),
    });
    const evaluations = events.filter(({ kind }) => kind === 'evaluation') as Record<string, number>[];
    expect(evaluations.map(({ step }) => step)).toEqual([0, 4, 6, 8, 12]);
    expect(Object.keys(evaluations[1]!)).toEqual([
      ...['kind', 'step', 'embeddingStd', 'rankMe', 'uniformity', 'seconds', 'memoryGibibytes'],
    ]);
    for (const { knnAccuracy, rankMe } of [evaluations[0]!, evaluations.at(-1)!]) {
      expect(knnAccuracy).toBeGreaterThanOrEqual(0);
      expect(rankMe).toBeGreaterThan(1);
    }
  });

  it('starts from what untrainedEncoder gives', async () => {
    const learningRate = Number.MIN_VALUE;
    const { encoder } = await pretrain(method, { settings: { ...settings, learningRate }, batches: batches() });
    const untrained = untrainedEncoder(method, { settings, batches: batches() });
    for (const [name, tensor] of Object.entries(untrained.model.parameters)) {
      expect([...encoder.model.parameters[name]!.dataSync()]).toEqual([...tensor.dataSync()]);
    }
  });

  it('says what it will cost, from three steps that change nothing', async () => {
    const before = tf.memory().numTensors;
    const cost = await measureCost(method, { settings, batches: batches() });
    expect(cost.steps).toBe(3 * Math.floor(dataset.count / 8));
    expect(cost.hours).toBeCloseTo((cost.steps * cost.secondsPerStep) / 3600, 12);
    expect(cost.secondsPerStep).toBeGreaterThan(0);
    expect(cost.peakGibibytes).toBeGreaterThan(0.1);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('refuses micro-batches, batches in order, and an optimizer that is none', async () => {
    const wrong = (changes: object) => pretrain(method, { settings: { ...settings, ...changes }, batches: batches() });
    await expect(wrong({ microBatches: 2 })).rejects.toThrow(/negatives are the other images of the batch/);
    await expect(wrong({ steps: 3 })).rejects.toThrow(/set either epochs or steps; got epochs 3 and steps 3/);
    await expect(wrong({ optimizer: 'adam' })).rejects.toThrow(/optimizer is sgd, lars, adamw; got "adam"/);
    const inOrder = new BatchSource(dataset, { batchSize: 8 });
    await expect(pretrain(method, { settings, batches: inOrder })).rejects.toThrow(/needs shuffled batches/);
  });

  it('trains in float16 with a scaled loss', async () => {
    const half: PretrainSettings = { ...settings, precision: 'float16' };
    const checkpoint = { folder: freshFolder(), everySteps: 100, identity: {} };
    const { encoder } = await pretrain(method, { settings: half, batches: batches(), checkpoint });
    expect(contents(encoder).every(([, values]) => (values as number[]).every(Number.isFinite))).toBe(true);
    const [last] = readdirSync(checkpoint.folder);
    const { tensors } = await readSafetensors(join(checkpoint.folder, last!));
    expect(tensors['optimizer/loss_scaling.finite_steps']!.dataSync()[0]).toBeGreaterThan(0);
    const before = untrainedEncoder(method, { settings: half, batches: batches() });
    for (const [name, tensor] of Object.entries(before.model.parameters)) {
      expect([...encoder.model.parameters[name]!.dataSync()], name).not.toEqual([...tensor.dataSync()]);
    }
  });
});

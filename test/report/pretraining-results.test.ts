import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { digestOfFile } from '../../src/base/index.js';
import { disposeTensors, tf, writeSafetensors } from '../../src/engine/index.js';
import { pretrainExperiment, pretrainingData } from '../../src/experiments/index.js';
import { toTorch } from '../../src/models/index.js';
import { untrainedEncoder } from '../../src/pretrain/index.js';
import { compareWithBaselines, watch } from '../../src/report/index.js';
import { openRun } from '../../src/runs/index.js';

const folder = mkdtempSync(join(tmpdir(), 'pretraining-results-'));
afterAll(() => rmSync(folder, { recursive: true }));

it('compares a backbone with the weights that it began with, beside random ones, and leaves no tensors', async () => {
  const init = join(folder, 'backbone.safetensors');
  const parameters = { scale: 'smoke', init, seed: 1 } as const;
  const experiment = pretrainExperiment('11-pretrain-simclr', parameters);
  const data = await pretrainingData(experiment);
  const { method, settings } = experiment;
  const encoder = untrainedEncoder(method, { settings: { ...settings, seed: 5 }, batches: data.train });
  const stored = toTorch(encoder.model);
  await writeSafetensors(init, stored);
  disposeTensors(stored);
  const before = tf.memory().numTensors;
  const initialFiles = { 'backbone.safetensors': await digestOfFile(init) };
  const { accuracies, gains } = (await compareWithBaselines(experiment, data, { encoder, initialFiles }))!;
  expect(tf.memory().numTensors).toBe(before);
  const names = ['first weights', 'random initialization', 'color histogram'];
  expect(accuracies.map(({ name }) => name)).toEqual(['SimCLR pretrained', ...names]);
  expect(gains.map(({ name }) => name)).toEqual(names);
  // Nothing was trained: these are its own weights.
  expect(accuracies[1]!.correct).toEqual(accuracies[0]!.correct);
  expect(accuracies[2]!.correct).not.toEqual(accuracies[0]!.correct);
  const drawn = pretrainExperiment('11-pretrain-simclr', { ...parameters, init: undefined });
  const plain = (await compareWithBaselines(drawn, data, { encoder, initialFiles: {} }))!;
  expect(plain.accuracies.map(({ name }) => name)).not.toContain('first weights');
  const changed = compareWithBaselines(experiment, data, {
    encoder,
    initialFiles: { 'backbone.safetensors': 'other' },
  });
  await expect(changed).rejects.toThrow(/backbone.safetensors: its files have changed since the training started/);
}, 120_000);

it('watches patches that are fewer than the neighbors asked for', async () => {
  const notebook = '11-pretrain-simclr';
  const parameters = { scale: 'smoke', neighbors: 500, seed: 1 } as const;
  const experiment = pretrainExperiment(notebook, parameters);
  const data = await pretrainingData(experiment);
  expect(data.bank!.count).toBeLessThan(500);
  const run = await openRun({ notebook, parameters, out: join(folder, 'run') });
  const { monitors } = watch(run, experiment, data);
  const encoder = untrainedEncoder(experiment.method, { settings: experiment.settings, batches: data.train });
  expect((await monitors![0]!.run(encoder)).knnAccuracy).toBeGreaterThanOrEqual(0);
  for (const monitor of monitors!) monitor.dispose();
}, 120_000);

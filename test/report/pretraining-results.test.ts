import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { digestOfFile } from '../../src/base/index.js';
import { disposeTensors, tf, writeSafetensors } from '../../src/engine/index.js';
import { pretrainExperiment, pretrainingCost, pretrainingData } from '../../src/experiments/index.js';
import { toTorch } from '../../src/models/index.js';
import { untrainedEncoder } from '../../src/pretrain/index.js';
import { compareWithBaselines, evaluatedFeatures, watch } from '../../src/report/index.js';
import { costInWords } from '../../src/report/show-cost.js';
import { openRun } from '../../src/runs/index.js';
import { openKernel, saidBy } from './kernel.js';

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
  const compared = (await compareWithBaselines(experiment, data, { encoder, initialFiles }))!;
  expect(tf.memory().numTensors).toBe(before);
  const { accuracies, gains } = compared;
  const features = await evaluatedFeatures(encoder, data);
  expect(await compareWithBaselines(experiment, data, { encoder, initialFiles, features })).toEqual(compared);
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
  const { experiment, data, monitors } = await watched({ neighbors: 500 }, 'few');
  expect(data.bank!.count).toBeLessThan(500);
  const encoder = untrainedEncoder(experiment.method, { settings: experiment.settings, batches: data.train });
  expect((await monitors![0]!.run(encoder, encoder.model)).knnAccuracy).toBeGreaterThanOrEqual(0);
  for (const monitor of monitors!) monitor.dispose();
}, 120_000);

it('says that a training has collapsed, on the page and in its events, and that it no longer has', async () => {
  const { run, onEvent } = await watched({}, 'collapsed');
  const messages = openKernel();
  const evaluated = (step: number, embeddingStd: number, rankMe: number) =>
    onEvent!({ kind: 'evaluation', step, embeddingStd, rankMe, uniformity: -1, seconds: 1, memoryGibibytes: 1 });
  const said = () => saidBy(messages).filter((words) => /collapsed/i.test(words));
  await evaluated(0, 0.25, 6);
  await evaluated(8, 0.3, 7);
  expect(said()).toEqual([]);
  await evaluated(16, 0.001, 1.01);
  const words =
    'features of different patches are nearly the same (deviation 0.00100, before training 0.250; RankMe 1.01, before training 6.00)';
  expect(said()).toEqual([`Collapsed at step 16: ${words}.`]);
  await evaluated(24, 0.3, 7);
  expect(said()[1]).toBe('No longer collapsed at step 24; it was at step 16.');
  await run.log.sync();
  const events = readFileSync(run.log.path, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(events.filter(({ kind }) => kind === 'collapsed')).toMatchObject([{ step: 16, of: 'features', shows: words }]);
}, 120_000);

it('tells what a training will cost, with its evaluations', async () => {
  const { experiment, data } = await watched({}, 'cost');
  const cost = await pretrainingCost(experiment, data);
  // 32 steps, an evaluation at 0, 8, 16, 24 and 32.
  expect(cost).toMatchObject({ steps: 32, evaluations: 5, gpuGibibytes: undefined });
  expect(cost.evaluatedPatches).toBe(data.bank!.count + data.heldOut.count + 2 * data.viewed.count);
  for (const value of [cost.secondsPerStep, cost.evaluationHours, cost.stepGibibytes]) expect(value).toBeGreaterThan(0);
  expect(costInWords(cost)).toMatch(
    /^32 steps, .* 5 evaluations of \d+ patches each .* an estimate of the GPU memory .*: no GPU was measured\.$/,
  );
  expect(costInWords({ ...cost, gpuGibibytes: 11.25 })).toMatch(/; it holds 11\.3 GiB of the GPU\.$/);
}, 120_000);

async function watched(asked: object, name: string) {
  const notebook = '11-pretrain-simclr';
  const parameters = { scale: 'smoke', seed: 1, ...asked } as const;
  const experiment = pretrainExperiment(notebook, parameters);
  const data = await pretrainingData(experiment);
  const run = await openRun({ notebook, parameters, out: join(folder, name) });
  return { experiment, data, run, ...watch(run, experiment, data) };
}

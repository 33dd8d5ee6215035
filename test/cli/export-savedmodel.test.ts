import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it, vi } from 'vitest';
import { key } from '../../src/base/index.js';
import { exportRun } from '../../src/cli/export.js';
import { randomNormal, type Tensor, tf } from '../../src/engine/index.js';
import { type FineTuneNotebook, fineTuneExperiment, modelFolder, readModel } from '../../src/experiments/index.js';
import { untrainedRun } from './fine-tuned-runs.js';

// Before TensorFlow loads: a SavedModel holds none of pathlab's own ops.
vi.hoisted(() => {
  process.env.PATHLAB_CUSTOM_OPS = 'off';
});
const folder = mkdtempSync(join(tmpdir(), 'export-savedmodel-'));
afterAll(() => rmSync(folder, { recursive: true }));

it.each<[FineTuneNotebook, number[]]>([
  ['20-finetune-ptcga200', [2, 3]],
  ['30-segment-segpanda200', [2, 64, 64, 3]],
])('a SavedModel of %s gives its class probabilities', async (notebook, shape) => {
  vi.spyOn(console, 'log').mockImplementation(() => {});
  const parameters = { scale: 'smoke', seed: 1 } as const;
  const classNames = ['normal', 'tumor', 'stroma'];
  const run = await untrainedRun(notebook, parameters, { classNames, arms: ['random'], out: join(folder, notebook) });
  const out = join(folder, `${notebook}-out`);
  expect(await exportRun([run, '--to', 'savedmodel', '--batch', '2', '--out', out])).toBe(0);
  const images = randomNormal(key(1), [2, 64, 64, 3], 0, 1);
  const saved = await tf.node.loadSavedModel(out);
  const { probabilities } = saved.predict({ images }) as { probabilities: Tensor };
  const { model } = await readModel(modelFolder({ folder: run }, { name: 'random-fold-1-seed-1' }));
  const { method } = fineTuneExperiment(notebook, parameters);
  const expected = tf.softmax(method.predict!(model, images));
  expect(probabilities.shape).toEqual(shape);
  expect(probabilities.sub(expected).abs().max().dataSync()[0]).toBeLessThan(1e-5);
  saved.dispose();
});

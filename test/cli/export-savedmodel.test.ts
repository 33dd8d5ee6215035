import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
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

describe('ONNX', () => {
  let run: string;
  beforeAll(async () => {
    vi.spyOn(console, 'log').mockImplementation(() => {});
    const facts = { classNames: ['normal', 'tumor'], arms: ['random'], out: join(folder, 'run') };
    run = await untrainedRun('20-finetune-ptcga200', { scale: 'smoke', seed: 1 }, facts);
  });

  /** A program that stands for Python with tf2onnx: it converts by `convert`, in a shell. */
  function python(name: string, convert: string): string {
    const path = join(folder, name);
    writeFileSync(path, `#!/bin/sh\nif [ "$1" = -c ]; then exit 0; fi\n${convert}\n`);
    chmodSync(path, 0o755);
    return path;
  }

  it('is converted from a SavedModel, of which nothing is left', async () => {
    const converts = python('converts', 'test -f "$4/saved_model.pb" && printf "$8" > "$6"');
    const out = join(folder, 'converted');
    expect(await exportRun([run, '--to', 'onnx', '--out', out, '--python', converts])).toBe(0);
    expect(readdirSync(out).sort()).toEqual(['README.md', 'model.onnx']);
    expect(readFileSync(join(out, 'model.onnx'), 'utf8')).toBe('18');
    expect(readFileSync(join(out, 'README.md'), 'utf8')).toContain(
      "session.run(['probabilities'], {'images': images})",
    );
  });

  it('is refused with the reason, and nothing is left', async () => {
    const fails = python('fails', 'echo "ValueError: no such op" >&2; exit 1');
    const out = join(folder, 'refused');
    const exported = (python: string) => exportRun([run, '--to', 'onnx', '--out', out, '--python', python]);
    await expect(exported(fails)).rejects.toThrow(/tf2onnx failed: ValueError: no such op/);
    expect(readdirSync(out)).toEqual([]);
    await expect(exported(join(folder, 'nowhere'))).rejects.toThrow(
      /nowhere cannot convert to ONNX .*pip install tf2onnx/,
    );
  });
});

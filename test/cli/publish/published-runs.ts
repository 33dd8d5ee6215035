import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { digestOfFile, key, projectRoot } from '../../../src/base/index.js';
import { disposeTensors, writeSafetensors } from '../../../src/engine/index.js';
import { pretrainExperiment } from '../../../src/experiments/index.js';
import { toTorch } from '../../../src/models/index.js';
import { openRun } from '../../../src/runs/index.js';

/** The page and the executed notebook that papermill leaves in a run's folder, with paths of the machine. */
export function addPages(folder: string, { links = '' }: { links?: string } = {}): void {
  const papermill = {
    ...{ duration: 12, exception: null, end_time: '2026-01-01T00:00:00' },
    input_path: join(projectRoot, 'notebooks', '11-pretrain-simclr.ipynb'),
    output_path: join(folder, 'notebook.ipynb'),
  };
  const cells = [{ cell_type: 'markdown', metadata: {}, source: [`# Run ${basename(folder)}`] }];
  writeFileSync(join(folder, 'notebook.ipynb'), JSON.stringify({ cells, metadata: { papermill } }));
  writeFileSync(
    join(folder, 'notebook.html'),
    `<h2 id="a">${projectRoot}/results</h2><a href="#a">up</a><a href="../../index.html">all results</a>${links}`,
  );
}

/** A pretraining run as the notebook leaves it, but for the training; runs of one seed have the same weights. */
export async function pretrainedRun(out: string, { seed = 1, data }: { seed?: number; data?: string } = {}) {
  const parameters = { scale: 'smoke' as const, seed, ...(data && { data }) };
  const { method } = pretrainExperiment('11-pretrain-simclr', parameters);
  const run = await openRun({ notebook: '11-pretrain-simclr', parameters, out });
  const path = run.file('backbone.safetensors');
  const model = method.backbone.initialize(key(seed));
  const tensors = toTorch(model);
  await writeSafetensors(path, tensors);
  disposeTensors(tensors, model.parameters, model.state);
  await run.emit({ kind: 'step', step: 1, loss: 2.5, seconds: 0.5 });
  await run.emit({ kind: 'step', step: 2, loss: 1.5, seconds: 0.5 });
  await run.emit({ kind: 'evaluation', step: 2, knnAccuracy: 0.5 });
  mkdirSync(join(run.checkpoints, 'one'), { recursive: true });
  writeFileSync(join(run.checkpoints, 'one', 'state.bin'), 'not published');
  writeFileSync(run.file('results.csv'), `patch,class\n${data ?? 'patches'}/1.png,0\n`);
  await run.keep({
    ...{ seed, device: {}, splits: { patches: 'e'.repeat(64) } },
    data: [{ name: 'slides', origin: 'a scanner', licence: 'CC0-1.0', path: data, sha256: 'd'.repeat(64) }],
    weights: { 'backbone.safetensors': await digestOfFile(path), 'first weights: net.pth': 'f'.repeat(64) },
    metrics: [
      { name: 'kNN accuracy, "SimCLR"', value: 61.5, interval: [50.25, 70], unit: '%', about: 'held-out, of 16' },
      { name: 'alignment', value: 1e-7 },
    ],
  });
  addPages(run.folder);
  return run.folder;
}

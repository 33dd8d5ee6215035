import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { key } from '../../src/base/index.js';
import { verify } from '../../src/cli/verify.js';
import { disposeTensors, mapTensors, readSafetensors, writeSafetensors } from '../../src/engine/index.js';
import { measure, type PatientResults } from '../../src/evaluate/index.js';
import {
  type FineTuneExperiment,
  type FineTuneNotebook,
  type FineTuneParameters,
  fineTuneExperiment,
  fineTuningData,
  gatherResults,
  keptFineTunings,
  keptResults,
} from '../../src/experiments/index.js';
import { resnet, toTorch } from '../../src/models/index.js';
import { patientShards } from '../experiments/patient-shards.js';
import { maskDataset } from '../finetune/mask-dataset.js';
import { fineTunedRun } from './fine-tuned-runs.js';

const folder = mkdtempSync(join(tmpdir(), 'verify-'));
afterAll(() => rmSync(folder, { recursive: true }));
const said = vi.spyOn(console, 'log').mockImplementation(() => {});
beforeEach(() => void said.mockClear());
const lines = (start: string) => said.mock.calls.flat().filter((line: string) => line.startsWith(start)) as string[];

let run: string;
let parameters: FineTuneParameters;
beforeAll(async () => {
  const init = join(folder, 'mine.safetensors');
  const model = resnet({ depth: 10, width: 0.25 }).initialize(key(3));
  const stored = toTorch(model);
  await writeSafetensors(init, stored);
  disposeTensors(stored, model.parameters, model.state);
  const shards = await patientShards(join(folder, 'shards'), 12);
  parameters = {
    scale: 'smoke',
    data: shards,
    init: `random,${init}`,
    batchSize: 4,
    steps: 2,
    folds: 2,
    seed: 1,
  };
  run = await fineTunedRun('20-finetune-ptcga200', parameters, join(folder, 'run'));
}, 120_000);

/** What a run's folder alone says of its predictions is what its data say of them. */
async function expectJudgedAlike(folder: string, parameters: FineTuneParameters, notebook: FineTuneNotebook) {
  const experiment = fineTuneExperiment(notebook, parameters) as unknown as FineTuneExperiment<PatientResults>;
  const data = await fineTuningData(experiment);
  const { groups, leftOut } = await gatherResults({ scale: 'smoke', from: folder });
  expect([groups.length, leftOut]).toEqual([1, []]);
  const found = Object.values(groups[0]!.arms).flat();
  const kept = keptFineTunings(folder);
  expect(found).toHaveLength(kept.length);
  for (const each of kept) {
    const { metrics } = experiment.task;
    const results = await keptResults(experiment, data, folder, each);
    expect(measure(metrics, found.find(({ name }) => name === each.name)!.results)).toEqual(measure(metrics, results));
  }
}

/** The run, changed. */
async function changed(
  name: string,
  change: (path: (file: string) => string) => void | Promise<void>,
): Promise<string> {
  const copy = join(folder, name);
  cpSync(run, copy, { recursive: true });
  await change((file) => join(copy, file));
  return copy;
}

describe('pathlab verify of a fine-tuning run', () => {
  it('computes the metrics of all arms again, and those of each kept model', async () => {
    expect(await verify([run]), lines('FAILED').join('\n')).toBe(0);
    for (const arm of ['random', 'mine']) {
      expect(lines(`ok      Accuracy, ${arm}: `)).toEqual([expect.stringMatching(/ %, reproduced$/)]);
      const of = `ok      model of ${arm}-fold-1-seed-1: `;
      expect(lines(of)).toHaveLength(5);
      expect(lines(`${of}Accuracy: `)).toEqual([expect.stringMatching(/^[^,]*: [\d.]+ %, reproduced$/)]);
    }
    expect(lines('ok      patches of small: unchanged')).toHaveLength(1);
    expect(lines('ok      split: unchanged')).toHaveLength(1);
  }, 60_000);

  it('keeps what its predictions are judged by where the data are not', async () => {
    await expectJudgedAlike(run, parameters, '20-finetune-ptcga200');
  }, 60_000);

  it('says which predictions are missing, and still checks the models', async () => {
    const copy = await changed('missing', (file) => rmSync(file('predictions/mine-fold-2-seed-1.safetensors')));
    expect(await verify([copy])).toBe(2);
    expect(lines('FAILED')).toEqual([
      'FAILED  predictions/mine-fold-2-seed-1.safetensors: missing',
      expect.stringMatching(
        /^FAILED {2}predictions of mine-fold-2-seed-1: not checked: .*mine-fold-2-seed-1.safetensors/,
      ),
      'FAILED  metrics: not computed again: predictions are missing or damaged',
    ]);
    expect(lines('ok      model of mine')).toHaveLength(5);
  }, 60_000);

  it('finds metrics and models that are not those of the predictions', async () => {
    const head = 'models/mine-fold-1-seed-1/head.safetensors';
    const copy = await changed('other', async (file) => {
      const { tensors, metadata } = await readSafetensors(file(head));
      const negated = mapTensors(tensors, (tensor) => tensor.neg());
      await writeSafetensors(file(head), negated, metadata);
      disposeTensors(tensors, negated);
      const metrics = JSON.parse(readFileSync(file('metrics.json'), 'utf8'));
      metrics.metrics[0].value += 0.1;
      writeFileSync(file('metrics.json'), JSON.stringify(metrics));
    });
    expect(await verify([copy])).toBe(2);
    const [metrics, changedHead, accuracy, ...models] = lines('FAILED');
    expect(metrics).toBe('FAILED  metrics.json: changed since the run');
    expect(changedHead).toBe(`FAILED  ${head}: changed since the run`);
    expect(accuracy).toMatch(/^FAILED {2}Accuracy, random: .* but the run has /);
    expect(models.length).toBeGreaterThan(0);
    for (const model of models) expect(model).toMatch(/^FAILED {2}model of mine-fold-1-seed-1: .* but the run has /);
  }, 60_000);

  it('says which file cannot be read, and goes on', async () => {
    const model = 'models/random-fold-1-seed-1/backbone.safetensors';
    const copy = await changed('damaged', (file) => {
      writeFileSync(file(model), 'damaged');
    });
    expect(await verify([copy])).toBe(2);
    expect(lines('FAILED')).toEqual([
      `FAILED  ${model}: changed since the run`,
      expect.stringMatching(/^FAILED {2}model of random-fold-1-seed-1: not checked: .*backbone.safetensors/),
    ]);
    said.mockClear();
    const bare = await changed('bare', (file) => {
      for (const name of ['fine-tunings.json', 'parameters.json']) rmSync(file(name));
    });
    expect(await verify([bare])).toBe(2);
    expect(lines('FAILED')).toEqual([
      ...['fine-tunings.json', 'parameters.json'].map((name) => `FAILED  ${name}: missing`),
      ...['code', 'metrics'].map((what) =>
        expect.stringMatching(new RegExp(`^FAILED {2}${what}: not checked: parameters.json of .*${basename(bare)}`)),
      ),
    ]);
  }, 60_000);

  it('says when the data are other ones', async () => {
    const copy = await changed('data', (file) => {
      const kept = JSON.parse(readFileSync(file('provenance.json'), 'utf8'));
      const splits = Object.fromEntries(Object.keys(kept.splits).map((name) => [name, 'other']));
      const data = kept.data.map((each: object) => ({ ...each, sha256: 'other' }));
      writeFileSync(file('provenance.json'), JSON.stringify({ ...kept, data, splits }));
    });
    expect(await verify([copy])).toBe(2);
    expect(lines('FAILED')).toEqual(['FAILED  patches of small: different', 'FAILED  split: different']);
  }, 60_000);

  it('counts pixels again in a segmentation', async () => {
    const data = (await maskDataset(10)).folder;
    const parameters = { scale: 'smoke', data, init: 'random', batchSize: 2, steps: 2, folds: 1, seed: 1 } as const;
    const segmented = await fineTunedRun('30-segment-segpanda200', parameters, join(folder, 'segmented'));
    expect(await verify([segmented]), lines('FAILED').join('\n')).toBe(0);
    await expectJudgedAlike(segmented, parameters, '30-segment-segpanda200');
    expect(lines('ok      mIoU, random: ')).toHaveLength(1);
    expect(lines('ok      model of random-fold-1-seed-1: ')).toHaveLength(6);
  }, 120_000);
});

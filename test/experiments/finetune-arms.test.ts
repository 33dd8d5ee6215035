import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { key } from '../../src/base/index.js';
import { disposeTensors, tf, writeSafetensors } from '../../src/engine/index.js';
import { comparisonFamily } from '../../src/experiments/finetune-comparison.js';
import {
  type FineTuneData,
  fineTuneExperiment,
  fineTuningArms,
  fineTuningData,
  splitName,
} from '../../src/experiments/index.js';
import { smallVit } from '../../src/experiments/network.js';
import { rowOf } from '../../src/experiments/results-rows.js';
import { weightsHistory } from '../../src/experiments/weights-history.js';
import { type Backbone, resnet, toTorch } from '../../src/models/index.js';
import { patientShards } from './patient-shards.js';

let root: string;
let data: FineTuneData;
const experimentOf = (init?: string) => fineTuneExperiment('20-finetune-ptcga200', { scale: 'smoke', init });

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'finetune-arms-'));
  const shards = await patientShards(join(root, 'shards'), 8);
  data = await fineTuningData(fineTuneExperiment('20-finetune-ptcga200', { scale: 'smoke', data: shards, folds: 1 }));
}, 60_000);
afterAll(() => rmSync(root, { recursive: true, force: true }));

const writeWeights = (path: string, width = 0.25) => writeModel(path, resnet({ depth: 10, width }));

async function writeModel(path: string, network: Backbone): Promise<void> {
  const model = network.initialize(key(3));
  const stored = toTorch(model);
  mkdirSync(dirname(path), { recursive: true });
  await writeSafetensors(path, stored);
  disposeTensors(stored, model.parameters, model.state);
}

async function writeRun(
  folder: string,
  notebook: string,
  facts: { seed?: number; ended?: string; data?: object[]; split?: string; parameters?: object; starts?: object } = {},
): Promise<void> {
  const { seed = 1, ended = '2026-01-01', data = [{ name: 'other', sha256: 'o' }], split = 's', parameters } = facts;
  const starts = Object.entries(facts.starts ?? {}).map(([name, init]) => ({
    ...{ name, start: { init, trainings: weightsHistory(init, root) } },
  }));
  const path = join(root, 'results', 'runs', folder);
  mkdirSync(path, { recursive: true });
  await writeWeights(join(path, 'backbone.safetensors'));
  writeFileSync(join(path, 'parameters.json'), JSON.stringify({ scale: 'smoke', seed, ...parameters }));
  if (facts.starts) writeFileSync(join(path, 'fine-tunings.json'), JSON.stringify(starts));
  writeFileSync(
    join(path, 'provenance.json'),
    JSON.stringify({ notebook, scale: 'smoke', runHash: folder, seed, ended, data, splits: { [splitName]: split } }),
  );
}

describe('the arms of a fine-tuning', () => {
  it('are by default random weights and finished pretrainings of the scale, and others are left out by name', async () => {
    const { name, sha256 } = { name: data.dataset.report.dataset, sha256: data.dataset.indexSha256 };
    await writeRun('11-pretrain-simclr-smoke-00000001', '11-pretrain-simclr');
    await writeRun('11-pretrain-simclr-smoke-00000002', '11-pretrain-simclr', { seed: 2 });
    await writeRun('11-pretrain-simclr-smoke-00000003', '11-pretrain-simclr', { ended: '2025-01-01' });
    await writeRun('11-pretrain-simclr-demo-00000004', '11-pretrain-simclr', { seed: 3 });
    await writeRun('13-pretrain-byol-smoke-00000005', '13-pretrain-byol', {
      ...{ data: [{ name, sha256 }], split: data.split.sha256, parameters: { epochs: 3 } },
    });
    await writeRun('10-pretrain-supervised-smoke-00000006', '10-pretrain-supervised', { data: [{ name, sha256 }] });
    await writeRun('15-pretrain-mae-smoke-00000007', '15-pretrain-mae');
    await writeModel(
      join(root, 'results', 'runs', '15-pretrain-mae-smoke-00000007', 'backbone.safetensors'),
      smallVit(),
    );
    const before = tf.memory().numTensors;
    const { arms, skipped } = await fineTuningArms(experimentOf(), data, root);
    expect(tf.memory().numTensors).toBe(before);
    expect(arms.map(({ name, starts }) => [name, starts.map((start) => start.pretrainingSeed)])).toEqual([
      ['random', [undefined]],
      ['SimCLR', [1, 2]],
      ['BYOL', [1]],
    ]);
    expect(arms[1]!.starts[0]).toMatchObject({
      init: expect.stringContaining('smoke-00000001'),
      pretrainedOn: ['other'],
      files: { 'backbone.safetensors': expect.stringMatching(/^[0-9a-f]{64}$/) },
    });
    const reasons = Object.fromEntries(skipped.map(({ name, reason }) => [name, reason]));
    expect(reasons).toMatchObject({
      ImageNet: expect.stringMatching(/weights trained on ImageNet for efficientnet_lite0, and none for resnet10/),
      'MoCo v2': 'no finished run of 12-pretrain-mocov2 at smoke scale is in results/runs',
      DINO: expect.stringContaining('no finished run'),
      SimCLR: 'another run has the same parameters and seed, and is older',
      Supervised: `it was pretrained on ${name} with another split, and may have seen the test patients`,
      MAE: expect.stringMatching(/its backbone is vit.*, and this page's resnet10/),
    });
  });

  it('are those that are asked for, but for weights that are missing or do not fit', async () => {
    const [fits, other] = [join(root, 'mine.safetensors'), join(root, 'wide.safetensors')];
    await writeWeights(fits);
    await writeWeights(other, 0.5);
    const asked = ['random', 'coco', fits, other, join(root, 'nothing.safetensors')];
    const { arms, skipped } = await fineTuningArms(experimentOf(asked.join(',')), data, root);
    expect(arms.map(({ name }) => name)).toEqual(['random', 'mine']);
    expect(arms[1]!.starts[0]!.pretrainedOn).toEqual(['unknown: may have seen the test patients']);
    expect(skipped).toEqual([
      { name: 'COCO', reason: expect.stringContaining('give init a file') },
      { name: 'wide', reason: expect.stringMatching(/does not fit resnet10.* other shapes/s) },
      { name: 'nothing', reason: expect.stringMatching(/there is no .*nothing.safetensors/) },
    ]);
    await expect(fineTuningArms(experimentOf('coco'), data, root)).rejects.toThrow(
      /there is no arm to fine-tune: COCO: weights trained on COCO are not brought here/,
    );
  });

  it('are of the latest run that fits, and runs that cannot be read are left out by name', async () => {
    const { indexSha256: sha256, report } = data.dataset;
    const own = { data: [{ name: report.dataset, sha256 }], parameters: { epochs: 4 } };
    await writeRun('14-pretrain-dino-smoke-00000001', '14-pretrain-dino', { ...own, split: data.split.sha256 });
    await writeRun('14-pretrain-dino-smoke-00000002', '14-pretrain-dino', { ...own, ended: '2026-02-01' });
    await writeRun('12-pretrain-mocov2-smoke-00000001', '12-pretrain-mocov2', { parameters: { epochs: 0 } });
    const { arms, skipped } = await fineTuningArms(experimentOf(), data, root);
    const { starts } = arms.find(({ name }) => name === 'DINO')!;
    expect(starts.map(({ init }) => init)).toEqual([expect.stringContaining('dino-smoke-00000001')]);
    expect(skipped).toContainEqual({ name: 'DINO', reason: expect.stringContaining('another split') });
    expect(skipped).toContainEqual({
      name: '12-pretrain-mocov2-smoke-00000001',
      reason: expect.stringMatching(/epochs must be an integer of 1 or more/),
    });
    expect(skipped.map(({ name }) => name)).not.toContain('MoCo v2');
  });

  it('are told apart by the parameters in which runs of a method differ, and named by what came before', async () => {
    const parameters = { data: 'mine', epochs: 4 };
    await writeRun('plain', '11-pretrain-simclr', { parameters });
    await writeRun('again', '11-pretrain-simclr', { parameters: { ...parameters, epochs: 5 } });
    await writeRun('retrained', '11-pretrain-simclr', { parameters: { ...parameters, init: 'imagenet' } });
    await writeRun('thrice', '13-pretrain-byol', { parameters: { init: 'results/runs/retrained' } });
    await writeRun('from-file', '13-pretrain-byol', { parameters: { init: 'nowhere.safetensors' } });
    const namesOf = async (...runs: string[]) => {
      const init = runs.map((each) => join(root, 'results', 'runs', each)).join(',');
      const { arms } = await fineTuningArms(experimentOf(init), data, root);
      return arms.map(({ name }) => name);
    };
    expect(await namesOf('plain', 'again', 'retrained')).toEqual([
      'SimCLR (epochs 4)',
      'SimCLR (epochs 5)',
      'ImageNet, then SimCLR',
    ]);
    const named = await namesOf('plain', 'retrained', 'thrice', 'from-file');
    expect(named).toEqual([
      'SimCLR',
      'ImageNet, then SimCLR',
      'ImageNet, then SimCLR, then BYOL',
      'unknown weights, then BYOL',
    ]);
    // The paper's numbers are not of such weights.
    expect(named.map(rowOf)).toEqual(['SimCLR', undefined, undefined, undefined]);
  });

  it('are there whatever runs of other networks ended later', async () => {
    const runs = join(root, 'results', 'runs');
    await writeRun('fits', '11-pretrain-simclr');
    await writeRun('other', '11-pretrain-simclr', { ended: '2026-02-01', parameters: { backbone: 'small_vit' } });
    await writeModel(join(runs, 'other', 'backbone.safetensors'), smallVit());
    const init = ['fits', 'other'].map((each) => join(runs, each)).join(',');
    const { arms, skipped } = await fineTuningArms(experimentOf(init), data, root);
    expect(arms).toMatchObject([{ name: 'SimCLR', starts: [{ init: expect.stringMatching(/fits$/) }] }]);
    expect(skipped).toMatchObject([{ name: 'SimCLR', reason: expect.stringMatching(/its backbone is vit/) }]);
  });

  it('are no files of a run that may have seen test patients, or began with weights that may have', async () => {
    const own = [{ name: data.dataset.report.dataset, sha256: data.dataset.indexSha256 }];
    const runs = 'results/runs';
    await writeRun('leaky', '20-finetune-ptcga200', { data: own, starts: { first: 'random' } });
    await writeWeights(join(root, runs, 'leaky', 'models', 'first', 'backbone.safetensors'));
    await writeRun('child', '11-pretrain-simclr', { parameters: { init: `${runs}/leaky/models/first` } });
    await writeRun('same', '20-finetune-ptcga200', {
      ...{ data: own, split: data.split.sha256, starts: { first: 'random' } },
    });
    const asked = ['leaky/models/first', 'child', 'child/backbone.safetensors', 'same/backbone.safetensors'];
    const init = asked.map((each) => join(root, runs, each)).join(',');
    const { arms, skipped } = await fineTuningArms(experimentOf(init), data, root);
    expect(skipped).toHaveLength(3);
    for (const { reason } of skipped)
      expect(reason).toContain('with another split, and may have seen the test patients');
    expect(arms.map(({ name }) => name)).toEqual(['same/backbone.safetensors']);
    expect(arms[0]!.starts[0]).toMatchObject({ pretrainedOn: [own[0]!.name], labelsOf: [own[0]!.name] });
  });

  it('know all trainings of their weights, from the last back, of a fine-tuned model those of its own arm', async () => {
    await writeRun('older', '15-pretrain-mae', { data: [{ name: 'old', sha256: 'd' }] });
    await writeRun('tuned', '20-finetune-ptcga200', {
      ...{ data: [{ name: 'tuned', sha256: 't' }], starts: { first: 'imagenet', second: 'results/runs/older' } },
    });
    const model = join(root, 'results/runs/tuned/models/second');
    await writeWeights(join(model, 'backbone.safetensors'));
    rmSync(join(root, 'results/runs/older'), { recursive: true });
    const { arms } = await fineTuningArms(experimentOf(model), data, root);
    expect(arms[0]!.starts[0]!.trainings).toEqual([
      {
        ...{ data: [{ name: 'tuned', sha256: 't' }], splits: { [splitName]: 's' }, supervised: true },
        run: { notebook: '20-finetune-ptcga200', scale: 'smoke', runHash: 'tuned' },
      },
      {
        ...{ data: [{ name: 'old', sha256: 'd' }], splits: { [splitName]: 's' }, supervised: false },
        run: { notebook: '15-pretrain-mae', scale: 'smoke', runHash: 'older' },
      },
    ]);
  });

  it('have names of their own, and no path twice', async () => {
    const files = ['one/net', 'two/net', 'random'].map((name) => join(root, `${name}.safetensors`));
    for (const file of files) await writeWeights(file);
    const { arms } = await fineTuningArms(experimentOf(['random', ...files].join(',')), data, root);
    const random = `${basename(root)}/random.safetensors`;
    expect(arms.map(({ name }) => name)).toEqual(['random', 'one/net.safetensors', 'two/net.safetensors', random]);
    const twice = `${files[0]},${root}/one/./net.safetensors`;
    await expect(fineTuningArms(experimentOf(twice), data, root)).rejects.toThrow(/init has .*net.safetensors twice/);
  });

  it('are rows and baselines where init says what files are', async () => {
    const files = ['resnet', 'on-coco', 'x=y'].map((name) => join(root, 'given', `${name}.safetensors`));
    for (const file of files) await writeWeights(file);
    const experiment = experimentOf(`random,imagenet=given/resnet.safetensors,coco=${files[1]},${files[2]}`);
    const { arms } = await fineTuningArms(experiment, data, root);
    const names = arms.map(({ name }) => name);
    expect(names).toEqual(['random', 'ImageNet', 'COCO', 'x=y']);
    expect(names.map(rowOf)).toEqual(['random', 'ImageNet', 'COCO', undefined]);
    expect(arms[1]!.starts[0]).toMatchObject({ init: files[0], pretrainedOn: ['ImageNet'], labelsOf: ['ImageNet'] });
    expect(comparisonFamily(experiment, names).filter(({ against }) => against === 'ImageNet')).toHaveLength(2);
    for (const [init, reason] of [
      ['imagenet21k=given/resnet.safetensors', /init has imagenet21k=.*imagenet=FILE or coco=FILE/],
      ['imagenet=', /init has imagenet=/],
      [`imagenet=${files[0]},imagenet=${files[1]}`, /init has imagenet twice/],
    ] as const) {
      await expect(fineTuningArms(experimentOf(init), data, root)).rejects.toThrow(reason);
    }
    await writeRun('of-a-run', '11-pretrain-simclr');
    const { skipped } = await fineTuningArms(experimentOf('random,imagenet=results/runs/of-a-run'), data, root);
    expect(skipped).toEqual([{ name: 'ImageNet', reason: expect.stringMatching(/in the folder of a finished run/) }]);
  });
});

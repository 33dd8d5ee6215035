import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InterruptedError, key } from '../../src/base/index.js';
import { disposeTensors, tf, writeSafetensors } from '../../src/engine/index.js';
import {
  type Arm,
  compareFineTunings,
  comparisonFamily,
  type FineTuneData,
  fineTuneExperiment,
  fineTuneRuns,
  fineTuningArms,
  fineTuningData,
  modelFolder,
  readModel,
  runFineTunings,
  trainingPatches,
} from '../../src/experiments/index.js';
import { fineTune, predictPatches } from '../../src/finetune/index.js';
import { resnet, toTorch } from '../../src/models/index.js';
import { openRun } from '../../src/runs/index.js';
import { patientShards } from './patient-shards.js';

const notebook = '20-finetune-ptcga200';
let top: string;
let data: FineTuneData;
let arms: Arm[];
const parameters = { scale: 'smoke', batchSize: 4, steps: 3, folds: 2, seed: 1 } as const;
let experiment: ReturnType<typeof fineTuneExperiment<typeof notebook>>;

beforeAll(async () => {
  top = mkdtempSync(join(tmpdir(), 'finetune-runs-'));
  const init = join(top, 'mine.safetensors');
  const model = resnet({ depth: 10, width: 0.25 }).initialize(key(3));
  const stored = toTorch(model);
  await writeSafetensors(init, stored);
  disposeTensors(stored, model.parameters, model.state);
  const shards = await patientShards(join(top, 'shards'), 16);
  const asked = { ...parameters, data: shards, init: `random,${init}` };
  experiment = fineTuneExperiment(notebook, asked);
  data = await fineTuningData(experiment);
  ({ arms } = await fineTuningArms(experiment, data));
}, 60_000);
afterAll(() => rmSync(top, { recursive: true, force: true }));

const runIn = (folder: string) => openRun({ notebook, parameters, out: join(top, folder) });
const names = ['random-fold-1-seed-1', 'mine-fold-1-seed-1', 'random-fold-2-seed-1', 'mine-fold-2-seed-1'];

describe('the fine-tunings of an experiment', () => {
  it('are of every arm, fold and seed, and go on after an interrupt with the same bits', async () => {
    expect(fineTuneRuns(experiment, arms).map(({ name }) => name)).toEqual(names);
    const whole = await runIn('whole');
    const before = tf.memory().numTensors;
    const once = await runFineTunings(experiment, data, arms, { run: whole });
    expect(tf.memory().numTensors).toBe(before);

    const broken = await runIn('broken');
    const stop = new AbortController();
    const interrupted = runFineTunings(experiment, data, arms, {
      run: broken,
      onEvent: ({ name }, event) => {
        if (name === names[1] && event.kind === 'step' && event.step === 2) stop.abort();
      },
      signal: stop.signal,
    });
    await expect(interrupted).rejects.toThrow(InterruptedError);
    expect(existsSync(broken.file(`predictions/${names[0]}.safetensors`))).toBe(true);
    expect(existsSync(broken.file(`predictions/${names[1]}.safetensors`))).toBe(false);
    const events: string[] = [];
    const again = await runFineTunings(experiment, data, arms, {
      run: broken,
      onEvent: ({ name }, { kind, step }) => void (kind !== 'evaluation' && events.push(`${name} ${kind} ${step}`)),
    });
    expect(events.slice(0, 3)).toEqual([`${names[0]} kept 3`, `${names[1]} resumed 2`, `${names[1]} step 3`]);
    for (const name of names) {
      const file = `predictions/${name}.safetensors`;
      expect(readFileSync(broken.file(file)), name).toEqual(readFileSync(whole.file(file)));
    }
    expect(again.arms).toEqual(once.arms);
    expect(Object.keys(once.arms)).toEqual(['random', 'mine']);
    expect(once.arms.random!.map(({ fineTuningSeed }) => fineTuningSeed)).toEqual([0, 1]);
  }, 300_000);

  it('keep the first model of each arm, which predicts what was predicted, as a training of its own does', async () => {
    const run = await runIn('whole');
    const { runs } = await runFineTunings(experiment, data, arms, { run });
    const { model, ...facts } = await readModel(modelFolder(run, { name: names[1]! }));
    expect(facts).toEqual({ classNames: data.dataset.classNames, imageSize: data.test.size });
    const { method, settings, testTime } = experiment;
    const view = { size: method.views[0]!.size, crop: settings.evaluationCrop, colors: method.backbone.colors };
    const { values } = await predictPatches({ method, model, view }, data.test, { testTime });
    expect(values).toEqual(runs[1]!.results.probabilities);
    const batches = trainingPatches(experiment, data, { fold: 0, seed: 1 });
    const alone = await fineTune(method, {
      settings: { ...settings, seed: 'fine-tuning 1', init: arms[1]!.starts[0]!.init },
      batches,
    });
    const own = await predictPatches(alone.predictor, data.test, { testTime });
    expect(own.values).toEqual(values);
    for (const { parameters, state } of [model, alone.model]) disposeTensors(parameters, state);
  }, 300_000);

  it('are compared by a family that is named before', async () => {
    const against = comparisonFamily(experiment, ['random', 'ImageNet', 'SimCLR']);
    expect(against.map(({ arm, against }) => `${arm} - ${against}`)).toEqual([
      ...['ImageNet - random', 'SimCLR - random', 'SimCLR - ImageNet'],
    ]);
    expect(comparisonFamily(experiment, ['random'])).toEqual([]);
    const run = await runIn('whole');
    const { differences, values } = await compareFineTunings(
      experiment,
      await runFineTunings(experiment, data, arms, { run }),
    );
    expect(differences.map(({ arm, against, metric }) => [arm, against, metric])).toEqual([
      ['mine', 'random', 'accuracy'],
    ]);
    for (const { value } of values) expect(value.value === null || Number.isFinite(value.value)).toBe(true);
  }, 300_000);
});

import { key } from '../../src/base/index.js';
import { saveModel } from '../../src/experiments/finetune-model.js';
import {
  compareFineTunings,
  type FineTuneNotebook,
  type FineTuneParameters,
  fineTuneExperiment,
  fineTuningArms,
  fineTuningData,
  modelFolder,
  runFineTunings,
} from '../../src/experiments/index.js';
import { pretrainedEncoder } from '../../src/pretrain/index.js';
import { fineTuningFacts } from '../../src/report/index.js';
import { openRun } from '../../src/runs/index.js';

/** A run as a fine-tuning notebook leaves it, but for the page. */
export async function fineTunedRun(notebook: FineTuneNotebook, parameters: FineTuneParameters, out: string) {
  const experiment = fineTuneExperiment(notebook, parameters);
  const run = await openRun({ notebook, parameters: { ...parameters }, out });
  const data = await fineTuningData(experiment);
  const { arms } = await fineTuningArms(experiment, data);
  const fineTuned = await runFineTunings(experiment, data, arms, { run });
  const comparison = await compareFineTunings(experiment, fineTuned);
  const facts = await fineTuningFacts(run, experiment, data, { ...fineTuned, arms, comparison });
  await run.keep({ seed: 1, device: {}, ...facts });
  return run.folder;
}

/** The same without training: models as they are drawn. */
export async function untrainedRun(
  notebook: FineTuneNotebook,
  parameters: FineTuneParameters,
  { out, arms, classNames }: { out: string; arms: readonly string[]; classNames: readonly string[] },
): Promise<string> {
  const experiment = fineTuneExperiment(notebook, parameters);
  const { method } = experiment;
  const run = await openRun({ notebook, parameters: { ...parameters }, out });
  const past = { data: [{ name: 'slides of before', licence: 'CC-BY-4.0', sha256: 'c'.repeat(64) }], splits: {} };
  const runs = arms.map((arm) => ({
    ...{ arm, name: `${arm}-fold-1-seed-1`, fold: 0, seed: 1 },
    start: {
      ...{ init: arm, pretrainedOn: [], labelsOf: [], files: { 'net.pth': 'f'.repeat(64) } },
      trainings: [
        { ...past, supervised: false, run: { notebook: '11-pretrain-simclr', scale: 'demo', runHash: 'past' } },
        null,
      ],
    },
  }));
  await run.write('fine-tunings.json', runs);
  for (const each of runs) {
    const pixels = method.masks ? new Float64Array(classNames.length).fill(1) : undefined;
    const model = method.initialize(key(1).fold(each.arm), {
      classNames,
      labels: Int32Array.from(classNames.keys()),
      pixels,
    });
    const encoder = pretrainedEncoder(method, experiment, method.encoder(model));
    const facts = { arm: each.arm, run: run.identity.hash, classNames, imageSize: 64 };
    await saveModel(modelFolder(run, each), { method, model, encoder }, facts);
  }
  await run.keep({
    ...{ seed: 1, device: {}, splits: { 'training and held-out patches': 'e'.repeat(64) } },
    data: [{ name: 'slides', origin: 'a scanner', licence: 'CC0-1.0', synthetic: true, sha256: 'd'.repeat(64) }],
    metrics: arms.map((arm, place) => ({
      ...{ name: `accuracy, ${arm}`, value: 61.5 + place, unit: '%', about: 'test patches' },
      ...{ interval: [50, 70] as const },
    })),
  });
  return run.folder;
}

import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { canonicalJson, sha256 } from '../base/index.js';
import { disposeTensors, openSafetensors, readSafetensors, type Tensors, writeSafetensors } from '../engine/index.js';
import type { Run as ArmRun, EvaluationView, PatientResults } from '../evaluate/index.js';
import { checkBitImages, fineTune } from '../finetune/index.js';
import { SharedStep, trainingSteps } from '../pretrain/index.js';
import { EventLog, type Run } from '../runs/index.js';
import type { TrainingEvent } from '../training/index.js';
import type { FineTuneExperiment } from './finetune.js';
import { type Arm, fileName } from './finetune-arms.js';
import { casesFile, casesOf, keepCases } from './finetune-cases.js';
import { type FineTuneData, fineTuningSeeds, patchesInOrder, trainingPatches } from './finetune-data.js';
import { predictionsFile } from './finetune-kept.js';
import { modelFolder, saveModel } from './finetune-model.js';
import type { TaskPredictor } from './finetune-recipe.js';
import { type FineTuneRun, fineTuningsFile } from './finetune-run.js';
import { validationMonitor } from './finetune-validation.js';

export interface FineTuneRuns<Results extends PatientResults> {
  /** By arm, for `compareArms`: a fold and a seed together are a fine-tuning seed. */
  arms: Record<string, ArmRun<Results>[]>;
  runs: readonly (FineTuneRun & { results: Results })[];
}

/** What happens in a run; or that it was finished before. */
export type FineTuneEvent = TrainingEvent | { kind: 'kept'; step: number };

/** The fine-tunings of an experiment: all arms in turn, so that each fold and seed is compared as soon as it is done. */
export function fineTuneRuns<Results extends PatientResults>(
  experiment: FineTuneExperiment<Results>,
  arms: readonly Arm[],
): FineTuneRun[] {
  const folds = Array.from({ length: experiment.folds }, (_, fold) => fold);
  return fineTuningSeeds(experiment).flatMap((seed) =>
    folds.flatMap((fold) =>
      arms.flatMap(({ name: arm, starts }) =>
        starts.map((start) => {
          const from = starts.length > 1 ? `-pretraining-${start.pretrainingSeed}` : '';
          return { arm, start, fold, seed, name: `${fileName(arm)}${from}-fold-${fold + 1}-seed-${seed}` };
        }),
      ),
    ),
  );
}

/**
 * Fine-tunes every arm on every fold with every seed, and predicts the test patches. Predictions go into the run's folder
 * as soon as they are made, with a hash of all that decides them: an interrupted experiment goes on there, within a
 * training from its checkpoint, and ends with the same bits. Of each arm the first model is kept.
 *
 * @throws InterruptedError if `signal` aborts; RangeError for more patches than a protocol is for
 */
export async function runFineTunings<Results extends PatientResults>(
  experiment: FineTuneExperiment<Results>,
  data: FineTuneData,
  arms: readonly Arm[],
  {
    run,
    onEvent,
    signal,
  }: { run: Run; onEvent?: (run: FineTuneRun, event: FineTuneEvent) => void | Promise<void>; signal?: AbortSignal },
): Promise<FineTuneRuns<Results>> {
  const { task } = experiment;
  const planned = fineTuneRuns(experiment, arms);
  const names = planned.map(({ name }) => name);
  const twice = names.find((name, place) => names.indexOf(name) !== place);
  if (twice !== undefined) throw new RangeError(`two arms have files of the name ${twice}: rename one`);
  if (experiment.protocol === 'bit') {
    for (const { train } of [...data.folds.values()].flat()) checkBitImages(train.length);
  }
  await run.write(fineTuningsFile, planned);
  const { by: unit, test, labelled, available } = data;
  await keepCases(run.file(casesFile), test, { unit, labelled, available });
  const cases = casesOf(test, unit);
  const predictor = predictorOf(experiment, data);
  const validator = predictorOf({ ...experiment, testTime: 'none' }, data);
  const shared = new SharedStep();
  const done: (FineTuneRun & { results: Results })[] = [];
  const context = { experiment, data, run, predictor, validator, shared, signal };
  try {
    for (const each of planned) {
      const predictions = await predictionsOf(each, { ...context, onEvent: (event) => onEvent?.(each, event) });
      const results = await task.results(predictions, cases);
      disposeTensors(predictions);
      done.push({ ...each, results });
    }
  } finally {
    for (const part of [predictor, validator, shared]) part.dispose();
  }
  return { arms: resultsByArm(experiment, done), runs: done };
}

/** Results of fine-tunings as `compareArms` takes them. */
export function resultsByArm<Results extends PatientResults>(
  { settings, folds }: FineTuneExperiment<Results>,
  runs: FineTuneRuns<Results>['runs'],
): FineTuneRuns<Results>['arms'] {
  const arms: FineTuneRuns<Results>['arms'] = {};
  for (const { arm, start, fold, seed, results } of runs) {
    const fineTuningSeed = (seed - (settings.seed as number)) * folds + fold;
    arms[arm] = [...(arms[arm] ?? []), { results, pretrainingSeed: start.pretrainingSeed, fineTuningSeed }];
  }
  return arms;
}

/** Whether a fine-tuning's model is kept: that of an arm's first fold and seed. */
export function keepsModel<Results extends PatientResults>(
  { settings }: FineTuneExperiment<Results>,
  { fold, seed }: Pick<FineTuneRun, 'fold' | 'seed'>,
): boolean {
  return fold === 0 && seed === settings.seed;
}

/** Predicts test patches, as an experiment sees them. */
export function predictorOf<Results extends PatientResults>(
  experiment: FineTuneExperiment<Results>,
  { by: unit, test }: Pick<FineTuneData, 'by' | 'test'>,
): TaskPredictor {
  const { task, method, testTime } = experiment;
  return task.predictor({ method, view: predictedView(experiment, test.size), testTime, unit });
}

/** How test patches of a size, px, are seen: of segmentation as a whole. */
export function predictedView<Results extends PatientResults>(
  { task, method: { backbone, views }, settings }: FineTuneExperiment<Results>,
  imageSize: number,
): EvaluationView {
  const { colors } = backbone;
  return task.masks ? { size: imageSize, colors } : { size: views[0]!.size, crop: settings.evaluationCrop, colors };
}

interface Context<Results extends PatientResults> {
  experiment: FineTuneExperiment<Results>;
  data: FineTuneData;
  run: Run;
  predictor: TaskPredictor;
  validator: TaskPredictor;
  shared: SharedStep;
  onEvent: (event: FineTuneEvent) => void | Promise<void>;
  signal?: AbortSignal;
}

/** Where a fine-tuning keeps its checkpoints and its events. */
export const trainingFolder = (run: Run, name: string) => join(run.checkpoints, name);

/** The predictions for the test patches: kept ones, or those of the model that is trained now. */
async function predictionsOf<Results extends PatientResults>(
  each: FineTuneRun,
  { experiment, data, run, predictor, validator, shared, onEvent, signal }: Context<Results>,
): Promise<Tensors> {
  const { method, task, patience, testTime, monitorEvery: everySteps, checkpointEvery } = experiment;
  const { name, start, fold, seed } = each;
  const batches = trainingPatches(experiment, data, each);
  const held = data.folds.get(seed)![fold]!.validation;
  const validation = held.length > 0 ? patchesInOrder(experiment, data, held) : undefined;
  const settings = settingsOf(experiment, each, batches.stepsPerEpoch);
  const identity = {
    ...run.parts,
    'initial weights': canonicalJson(start.files),
    settings: canonicalJson({ ...settings, patience, everySteps, testTime }),
    method: canonicalJson({ name: method.name, settings: method.settings, views: method.views }),
    backbone: method.backbone.name,
    patches: canonicalJson([batches.identity, validation?.identity, data.test.identity]),
    unit: data.by,
  };
  const path = run.file(predictionsFile(each));
  const hash = sha256(canonicalJson(identity));
  const kept = await predictionsIn(path, hash);
  if (kept) {
    await onEvent({ kind: 'kept', step: trainingSteps(settings, batches) });
    return kept;
  }
  const folder = trainingFolder(run, name);
  const log = await EventLog.open(join(folder, 'events.jsonl'));
  const { model, encoder, steps, initialFiles } = await fineTune(method, {
    ...{ settings, batches, shared, signal },
    monitors: validation
      ? [
          validationMonitor(task, {
            ...{ predictor: validator, source: validation, unit: data.by, everySteps, signal },
            stops: patience !== undefined,
          }),
        ]
      : [],
    checkpoint: { folder, everySteps: checkpointEvery, identity: run.parts, log },
    earlyStop: validation && patience !== undefined ? { metric: 'validation', patience } : undefined,
    async onEvent(event) {
      await log.append({ ...event });
      await onEvent(event);
    },
  });
  try {
    if (canonicalJson(initialFiles) !== canonicalJson(start.files)) {
      throw new Error(`${start.init}: its files have changed since the arms were found`);
    }
    const predictions = await predictor.predict(model, data.test, { signal });
    if (keepsModel(experiment, each)) {
      const { dataset, size: imageSize } = data.test;
      const facts = { arm: each.arm, run: run.identity.hash, classNames: dataset.classNames, imageSize };
      await saveModel(modelFolder(run, each), { method, model, encoder }, facts);
    }
    await writeSafetensors(path, predictions, { identity: hash });
    await run.emit({ kind: 'fine-tuned', run: name, steps });
    for (const file of await readdir(folder)) if (file.endsWith('.safetensors')) await rm(join(folder, file));
    return predictions;
  } finally {
    disposeTensors(model.parameters, model.state);
  }
}

async function predictionsIn(path: string, hash: string): Promise<Tensors | undefined> {
  if (!existsSync(path)) return undefined;
  const file = await openSafetensors(path);
  await file.close();
  return file.metadata.identity === hash ? (await readSafetensors(path)).tensors : undefined;
}

function settingsOf<Results extends PatientResults>(
  { settings, warmupEpochs }: FineTuneExperiment<Results>,
  { start, seed }: FineTuneRun,
  stepsPerEpoch: number,
) {
  const steps = trainingSteps(settings, { stepsPerEpoch });
  const warmup = warmupEpochs === undefined ? settings.warmup : Math.min(0.5, (warmupEpochs * stepsPerEpoch) / steps);
  // Not a pretraining's seed: a classifier drawn as that of supervised pretraining would fit its features from the start.
  return { ...settings, seed: `fine-tuning ${seed}`, warmup, init: start.init };
}

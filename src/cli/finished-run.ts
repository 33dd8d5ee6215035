import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { digestOfFile } from '../base/index.js';
import { readSafetensors } from '../engine/index.js';
import type { Encoder, PatientResults } from '../evaluate/index.js';
import {
  type FineTuneExperiment,
  type FineTuneNotebook,
  type FineTuneParameters,
  fineTuneExperiment,
  type PretrainExperiment,
  type PretrainParameters,
  pretrainExperiment,
} from '../experiments/index.js';
import { fromTorch } from '../models/index.js';
import { pretrainedEncoder } from '../pretrain/index.js';
import type { Provenance } from '../runs/index.js';
import { UsageError } from './usage-error.js';

/** A finished run, read from its folder. */
export type FinishedRun = Provenance & { folder: string; parameters: Record<string, unknown> };

/** @throws UsageError for a folder without a finished run */
export function readFinishedRun(where: string): FinishedRun {
  const folder = resolve(where);
  if (!existsSync(join(folder, 'provenance.json'))) {
    throw new UsageError(`${where} is not a finished run: there is no provenance.json in it`);
  }
  const kept = readOfRun<Provenance>(folder, 'provenance.json');
  if (!kept.files) throw new UsageError(`${where} has no hashes of its files: an earlier version of pathlab wrote it`);
  return {
    folder,
    ...kept,
    get parameters() {
      return readOfRun<Record<string, unknown>>(folder, 'parameters.json');
    },
  };
}

/**
 * A JSON file in a run's folder.
 *
 * @throws UsageError if it cannot be read
 */
export function readOfRun<Content>(folder: string, name: string): Content {
  try {
    return JSON.parse(readFileSync(join(folder, name), 'utf8')) as Content;
  } catch (error) {
    throw new UsageError(`${name} of ${folder} cannot be read: ${(error as Error).message}`);
  }
}

/** The experiment of a pretraining run. */
export function experimentOf({ notebook, parameters }: FinishedRun): PretrainExperiment {
  return pretrainExperiment(notebook, parameters as unknown as PretrainParameters);
}

/** The experiment of a fine-tuning run. */
export function fineTuningOf({ notebook, parameters }: FinishedRun): FineTuneExperiment<PatientResults> {
  const experiment = fineTuneExperiment(notebook as FineTuneNotebook, parameters as unknown as FineTuneParameters);
  return experiment as unknown as FineTuneExperiment<PatientResults>;
}

/** The trained backbone of a pretraining run. */
export async function encoderOf({ folder }: FinishedRun, experiment: PretrainExperiment): Promise<Encoder> {
  const { tensors } = await readSafetensors(join(folder, 'backbone.safetensors'));
  return pretrainedEncoder(experiment.method, experiment, fromTorch(tensors));
}

/** @throws UsageError for a file that is not as the run left it */
export async function requireUnchanged({ folder, files }: FinishedRun, ...names: readonly string[]): Promise<void> {
  for (const name of names) {
    const path = join(folder, name);
    if (existsSync(path) && (await digestOfFile(path)) === files[name]) continue;
    throw new UsageError(`${path} ${existsSync(path) ? 'changed since the run' : 'is missing'} (see pathlab verify)`);
  }
}

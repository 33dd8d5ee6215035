import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { readSafetensors } from '../engine/index.js';
import type { Encoder } from '../evaluate/index.js';
import { type PretrainExperiment, type PretrainParameters, pretrainExperiment } from '../experiments/index.js';
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
  return { folder, ...kept, parameters: readOfRun<Record<string, unknown>>(folder, 'parameters.json') };
}

/** A JSON file in a run's folder. */
export function readOfRun<Content>(folder: string, name: string): Content {
  return JSON.parse(readFileSync(join(folder, name), 'utf8')) as Content;
}

/** The experiment of a pretraining run. */
export function experimentOf({ notebook, parameters }: FinishedRun): PretrainExperiment {
  return pretrainExperiment(notebook, parameters as unknown as PretrainParameters);
}

/** The trained backbone of a run. */
export async function encoderOf({ folder }: FinishedRun, experiment: PretrainExperiment): Promise<Encoder> {
  const { tensors } = await readSafetensors(join(folder, 'backbone.safetensors'));
  return pretrainedEncoder(experiment.method, experiment, fromTorch(tensors));
}

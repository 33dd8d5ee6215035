import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { readSafetensors } from '../engine/index.js';
import type { Encoder } from '../evaluate/index.js';
import { type PretrainExperiment, type PretrainParameters, pretrainExperiment } from '../experiments/index.js';
import { fromTorch } from '../models/index.js';
import { pretrainedEncoder } from '../pretrain/index.js';
import type { Provenance } from '../runs/index.js';
import { UsageError } from './usage-error.js';

/** A run that has ended, as its folder has it. */
export type FinishedRun = Provenance & { folder: string; parameters: Record<string, unknown> };

/** @throws UsageError for a folder that holds none */
export function readFinishedRun(where: string): FinishedRun {
  const folder = resolve(where);
  if (!existsSync(join(folder, 'provenance.json'))) {
    throw new UsageError(`${where} is not a finished run: there is no provenance.json in it`);
  }
  const kept = readOfRun<Provenance>(folder, 'provenance.json');
  if (!kept.files) throw new UsageError(`${where} was made by an earlier version, which kept no hashes of its files`);
  return { folder, ...kept, parameters: readOfRun<Record<string, unknown>>(folder, 'parameters.json') };
}

/** A file of JSON in a run's folder. */
export function readOfRun<Content>(folder: string, name: string): Content {
  return JSON.parse(readFileSync(join(folder, name), 'utf8')) as Content;
}

/** What a pretraining run was. */
export function experimentOf({ notebook, parameters }: FinishedRun): PretrainExperiment {
  return pretrainExperiment(notebook, parameters as unknown as PretrainParameters);
}

/** The backbone that it left. */
export async function encoderOf({ folder }: FinishedRun, experiment: PretrainExperiment): Promise<Encoder> {
  const { tensors } = await readSafetensors(join(folder, 'backbone.safetensors'));
  return pretrainedEncoder(experiment.method, experiment, fromTorch(tensors));
}

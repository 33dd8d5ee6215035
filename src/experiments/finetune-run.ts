import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Provenance } from '../runs/index.js';

/** A training that weights have been through. */
export interface PastTraining extends Pick<Provenance, 'data' | 'splits'> {
  /** Whether it used labels. */
  supervised: boolean;
  /** The run that it was; none of published weights. */
  run?: Pick<Provenance, 'notebook' | 'scale' | 'runHash'>;
}

/** Where the weights of an arm's trainings come from: a pretraining run, a file, or nowhere. */
export interface ArmStart {
  /** See `initialWeights`. */
  init: string;
  /** Of a pretraining run. */
  pretrainingSeed?: number;
  /** The names of the datasets that it was trained on before, or words that say it is not known; empty for random weights. */
  pretrainedOn: readonly string[];
  /** Those of them whose labels it has learned. */
  labelsOf: readonly string[];
  /** All of them, from the last back; null is one that is not known. */
  trainings: readonly (PastTraining | null)[];
  /** SHA-256 of its files, by name; none of random weights. */
  files: Readonly<Record<string, string>>;
}

/** One fine-tuning of an experiment. */
export interface FineTuneRun {
  arm: string;
  /** Names its files. */
  name: string;
  start: ArmStart;
  /** From 0. */
  fold: number;
  seed: number;
}

/** Where a run lists its fine-tunings. */
export const fineTuningsFile = 'fine-tunings.json';

/** The fine-tunings of a run, from its folder, with where each began. */
export function keptFineTunings(folder: string): FineTuneRun[] {
  const path = join(folder, fineTuningsFile);
  if (!existsSync(path))
    throw new Error(`there is no ${path}: it was deleted, or an earlier version of pathlab made the run`);
  return JSON.parse(readFileSync(path, 'utf8')) as FineTuneRun[];
}

import type { PatientResults } from '../evaluate/index.js';
import type { FineTuneExperiment } from './finetune.js';
import type { FineTuneData } from './finetune-data.js';

/** Where the weights of an arm's trainings come from: a pretraining run, a file, or nowhere. */
export interface ArmStart {
  /** See `initialWeights`. */
  init: string;
  /** Of a pretraining run. */
  pretrainingSeed?: number;
  /** What it was pretrained on, in words; undefined if unknown. */
  pretrainedOn?: string;
  /** SHA-256 of its files, by name; none of random weights. */
  files: Readonly<Record<string, string>>;
}

/** Fine-tunings that begin with weights of one kind. */
export interface Arm {
  /** `random`, `ImageNet`, the method of a run, or the name of a file. */
  name: string;
  /** One for each pretraining seed. */
  starts: readonly ArmStart[];
}

/** An arm that is left out, and why. */
export interface SkippedArm {
  name: string;
  reason: string;
}

/** Finds the arms of an experiment. */
export declare function fineTuningArms<Results extends PatientResults>(
  experiment: FineTuneExperiment<Results>,
  data: FineTuneData,
): Promise<{ arms: Arm[]; skipped: SkippedArm[] }>;

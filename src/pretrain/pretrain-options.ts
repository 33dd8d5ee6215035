import type { ConvAlgorithms, Precision } from '../engine/index.js';
import type { Encoder, Monitor } from '../evaluate/index.js';
import type { BatchSource } from '../input/index.js';
import type { ModelTensors } from '../models/index.js';
import type { Replicas, TrainingEvent, TrainingLog, TrainOptions } from '../training/index.js';
import type { OptimizerSettings } from './optimizer-settings.js';
import type { SharedStep } from './shared-step.js';

/** How a method is trained: plain values, which stand on pages and in a run's identity. */
export interface PretrainSettings extends OptimizerSettings {
  seed: number | string;
  /** Where the backbone's weights come from (see `initialWeights`): `random` by default. */
  init?: string;
  /**
   * Whether batch norm forgets the running statistics that came with the initial weights, as the paper's fine-tuning: they are
   * of other images.
   */
  resetBatchNorm?: boolean;
  /** How long it is trained: passes over the patches, or steps. One of the two. */
  epochs?: number;
  steps?: number;
  /** See `StepOptions`. */
  clipNorm?: number;
  clipOf?: 'all' | 'each';
  /** See `train`. */
  microBatches?: number;
  precision: Precision;
  /** Side of the center square on which features are evaluated, as a share of the patch's side. */
  evaluationCrop: number;
}

/** A training that several processes do. */
export interface DividedTraining {
  processes: number;
  /** Everything that decides the result, part by part: the processes must come to the same. */
  identity: Readonly<Record<string, string>>;
}

export interface PretrainOptions {
  settings: PretrainSettings;
  /** Patches to learn from, shuffled. */
  batches: BatchSource;
  /** What is measured beside the training, which it does not influence. */
  monitors?: readonly Monitor[];
  /**
   * Keeps checkpoints here and goes on from the last. `identity` stands for what neither method, settings nor batches say:
   * the code, for example. A checkpoint of which a part is another is refused.
   */
  checkpoint?: {
    folder: string;
    everySteps: number;
    keep?: number;
    identity: Readonly<Record<string, string>>;
    /** All parts, method, settings and batches too, where another process knows what is to be trained: see `DividedTraining`. */
    asked?: Readonly<Record<string, string>>;
    log?: TrainingLog;
  };
  /** See `train`. */
  best?: TrainOptions['best'];
  convAlgorithms?: ConvAlgorithms;
  /** Saves compiling in trainings one after the other; not with `convAlgorithms` or replicas. */
  shared?: SharedStep;
  replicas?: Replicas;
  /**
   * In how many processes it is trained: 1 by default, this one. More divide every batch among them, which `divide` starts; this
   * one then takes what they have trained from the last checkpoint.
   */
  processes?: number;
  /**
   * Trains in several processes, up to the last checkpoint, with what else these options say (see `watch`).
   *
   * @returns steps done
   */
  divide?: (training: DividedTraining) => Promise<number>;
  onEvent?: (event: TrainingEvent) => void | Promise<void>;
  signal?: AbortSignal;
}

export interface Pretrained {
  /** The trained backbone, a part of the model. */
  encoder: Encoder;
  /** SHA-256 of the files of the initial weights, by name; none of random ones. */
  initialFiles: Record<string, string>;
  /** All that was trained, heads and the like too; the caller's to dispose of. */
  model: ModelTensors;
  steps: number;
  /** See `train`. */
  best?: { step: number; score: number };
  convAlgorithms?: Record<string, string>;
}

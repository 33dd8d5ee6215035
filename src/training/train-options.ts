import type { Key } from '../base/index.js';
import type { ConvAlgorithms, Precision, Tensors } from '../engine/index.js';
import type { Best, CheckpointFolder, TrainingTensors } from './checkpoint.js';
import type { ScaledOptimizer } from './loss-scaling.js';
import type { Objective } from './objective.js';
import type { Optimizer } from './optimizer.js';
import type { TrainingMonitor } from './run-monitors.js';
import type { Schedule } from './schedules.js';
import type { TrainingEvent, TrainingLog } from './training-event.js';
import type { CompiledStep, StepOptions } from './training-step.js';

export interface TrainOptions<Name extends string = never> extends StepOptions {
  objective: Objective<Name>;
  optimizer: Optimizer | ScaledOptimizer;
  /** The learning rate, and the weight decay where it changes. The objective brings schedules of its own. */
  schedules: { learningRate: Schedule; weightDecay?: Schedule };
  /**
   * Creates the batch of a step, counted from 0; it must depend on that number only. It is called during the previous
   * step, and the loop disposes of the batch.
   */
  batch: (step: number) => Tensors | Promise<Tensors>;
  steps: number;
  imagesPerStep: number;
  /**
   * Key of the initial weights and of the steps, each of which folds it with its number, so that a resumed run draws
   * the same.
   */
  key: Key;
  /**
   * The loss of uniform outputs, if there is such a one: a loss of more than ten times that for 50 steps ends the training
   * (see `DivergenceWatch`).
   */
  chanceLoss?: number;
  /** Precision of the step's costly ops; float32 by default. float16 takes an optimizer with `dynamicLossScaling`. */
  precision?: Precision;
  /**
   * How the weight gradients of convolutions are computed: what these do not know is measured before the first step and
   * added. Without them nothing is measured. A run that goes on from a checkpoint takes the checkpoint's.
   */
  convAlgorithms?: ConvAlgorithms;
  /** The step, compiled for an earlier training that differs in its numbers only; the caller's to dispose of. */
  compiled?: CompiledStep<Name>;
  checkpoint?: CheckpointFolder & { everySteps: number; log?: TrainingLog };
  /**
   * The metric of an evaluation by which models are compared, higher ones better unless `lowest`, and NaN never. The best
   * one's checkpoint is kept beside the last. With `patience` the training ends at an evaluation so many steps after the best, or more. With
   * `restore` the result is the best model and not the last, from its checkpoint.
   */
  best?: { metric: string; lowest?: boolean; patience?: number; restore?: boolean };
  /**
   * Called before the first step, after every `everySteps` and after the last; what several find goes into one event. One
   * that throws an InterruptedError ends the training as `signal` does.
   */
  monitors?: readonly TrainingMonitor[];
  onEvent?: (event: TrainingEvent) => void | Promise<void>;
  signal?: AbortSignal;
}

export interface TrainingResult {
  /** The caller's to dispose of. */
  tensors: TrainingTensors;
  /** Steps done: fewer than were asked for where it stopped early. */
  steps: number;
  /** The best evaluation, if models were compared. */
  best?: Best;
  /** The form of each convolution's weight gradient, if they were given: part of the run's provenance. */
  convAlgorithms?: Record<string, string>;
}

import type { Key } from '../base/index.js';
import type { Tensor, Tensors } from '../engine/index.js';
import type { ModelTensors } from '../models/index.js';
import type { Replicas } from './replicas.js';
import type { Schedule } from './schedules.js';

/** This step's value of each schedule, scalars by name. */
export type Scheduled<Name extends string = never> = Readonly<Record<Name | 'learningRate', Tensor>> & {
  readonly weightDecay?: Tensor;
  /** 1 if this replica was asked to stop. */
  readonly interrupted?: Tensor;
  /** What a step took here lately, seconds. */
  readonly stepSeconds?: Tensor;
};

/** Context of a loss. */
export interface StepContext<Name extends string = never> {
  /** Key of this step (and micro-batch). */
  random: Key;
  scheduled: Scheduled<Name>;
  replicas: Replicas;
  /** The whole batch, where it is taken in micro-batches, of which the loss gets one. */
  whole?: Tensors;
}

/** Result of a loss. */
export interface LossOfBatch {
  /** A scalar, the mean over the batch. */
  loss: Tensor;
  /** The whole state after the batch: running statistics, momentum networks, queues, centers. */
  state: Tensors;
  /** Rows that `afterUpdate` gets, joined over micro-batches: what changes once an update and not with each micro-batch. */
  rows?: Tensors;
  /** Scalars to report, means over the batch. */
  metrics?: Tensors;
}

/**
 * What a training minimizes. All functions are pure; `loss` and `afterUpdate` are part of the compiled step and read no
 * value on the host.
 *
 * @typeParam Name schedules of its own, beside the learning rate and the weight decay, which are the optimizer's
 */
export interface Objective<Name extends string = never> {
  /** Parameters get gradients. State is what else a step changes. */
  initialize(key: Key): ModelTensors;
  /** @param batch what the host made for this step; of every tensor the first dimension runs over the batch */
  loss(model: ModelTensors, batch: Tensors, context: StepContext<Name>): LossOfBatch;
  /**
   * What follows the optimizer's update, for example a momentum network that moves toward the trained one, or a queue that
   * takes the batch's keys.
   *
   * @param rows those of `loss`, of the whole batch
   */
  afterUpdate?(after: ModelTensors, before: ModelTensors, context: StepContext<Name>, rows: Tensors): ModelTensors;
  /** A momentum, a temperature: what `context.scheduled` gives by the same name. */
  schedules?: Readonly<Record<Name, Schedule>>;
  /**
   * Parameters that learn beside the network without influence on it, by their names: their gradients are no part of the
   * norm, and are not clipped.
   */
  isDetached?(name: string): boolean;
  /**
   * Why a batch cannot be cut into micro-batches, for a loss that compares the images of a batch with each other.
   * Undefined for a loss that is a mean over images.
   */
  needsWholeBatch?: string;
}

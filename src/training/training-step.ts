import type { Key } from '../base/index.js';
import {
  type Compiled,
  type CompileOptions,
  compile,
  getTensor,
  mapTensors,
  type Tensor,
  type Tensors,
  tf,
  withReplicaScope,
} from '../engine/index.js';
import { accumulateGradients } from './accumulate-gradients.js';
import type { TrainingTensors } from './checkpoint.js';
import { clipGradients } from './clip.js';
import type { ScaledOptimizer } from './loss-scaling.js';
import { squaresOf } from './not-finite.js';
import type { Objective, Scheduled } from './objective.js';
import type { Optimizer } from './optimizer.js';
import { type Replicas, singleReplica } from './replicas.js';

/** How an objective is minimized. */
export interface StepOptions {
  /** Gradients are scaled down to this norm. */
  clipNorm?: number;
  /** Whether that is the norm of all gradients together, as by default, or of each parameter's. */
  clipOf?: 'all' | 'each';
  /** The batch is taken in so many parts, whose gradients are averaged: less memory for the same batch. 1 by default. */
  microBatches?: number;
  /** Who else trains this model; nobody by default. */
  replicas?: Replicas;
}

/**
 * One update as a pure function: the same tensors in give the same tensors out. Among the metrics, scalars, are `loss` and
 * `gradientNorm`, the global norm before it is clipped (without detached parameters), and `lossScale` where the loss is scaled. `squares` are those of the parameters before the update and of
 * their gradients (see `squaresOf`), by which a step that breaks is looked into.
 */
export type Step<Name extends string = never> = (
  tensors: TrainingTensors,
  batch: Tensors,
  scheduled: Scheduled<Name>,
  random: Key,
) => { tensors: TrainingTensors; metrics: Tensors; squares: { parameters: Tensor; gradients: Tensor } };

/** A training step as one TensorFlow function; a run disposes of the tensors that it starts from. */
export type CompiledStep<Name extends string = never> = Compiled<Parameters<Step<Name>>, ReturnType<Step<Name>>>;

export function compiledStep<Name extends string>(
  step: Step<Name>,
  options: Pick<CompileOptions, 'precision' | 'convAlgorithms'>,
): CompiledStep<Name> {
  return compile(step, { ...options, name: 'the training step', donate: [0] });
}

/**
 * The training step of every objective: gradients (with loss scaling, in micro-batches), their mean over replicas, clip,
 * optimizer, and what follows the update.
 *
 * @throws RangeError if the objective needs the whole batch and micro-batches are asked for
 */
export function trainingStep<Name extends string>(
  objective: Objective<Name>,
  optimizer: Optimizer | ScaledOptimizer,
  { clipNorm, clipOf, microBatches = 1, replicas = singleReplica }: StepOptions = {},
): Step<Name> {
  if (microBatches > 1 && objective.needsWholeBatch !== undefined) {
    throw new RangeError(
      `with ${microBatches} micro-batches the loss would differ: ${objective.needsWholeBatch}. Use a smaller batch`,
    );
  }
  return (tensors, batch, scheduled, random) =>
    tf.tidy(() => {
      const contextOf = (random: Key, whole?: Tensors) => ({ random, scheduled, replicas, whole });
      const lossScale = 'lossScale' in optimizer ? optimizer.lossScale(tensors.optimizer) : undefined;
      const result = accumulateGradients(tensors, batch, { microBatches, lossScale }, (model, part, number) =>
        asReplica(replicas, part, () =>
          objective.loss(model, part, microBatches > 1 ? contextOf(random.fold(number), batch) : contextOf(random)),
        ),
      );
      const metrics: Tensors = { loss: result.loss, ...result.metrics };
      for (const told of ['interrupted', 'stepSeconds'] as const) {
        const value = scheduled[told];
        if (value) metrics[told] = value;
      }
      const means = replicas.mean(result.gradients);
      let gradients = mapTensors(tensors.parameters, (_, name) => getTensor(means, name));
      const squares = { parameters: squaresOf(tensors.parameters), gradients: squaresOf(gradients) };
      const counted = countedOf(gradients, objective);
      const countedSquares = objective.isDetached ? squaresOf(counted) : squares.gradients;
      const norm = countedSquares.sum().sqrt() as Tensor;
      metrics.gradientNorm = lossScale ? norm.div(lossScale) : norm;
      if (lossScale) metrics.lossScale = lossScale.clone();
      if (clipNorm !== undefined) {
        // Scaled gradients are clipped at a scaled norm.
        const largest = lossScale ? (lossScale.mul(clipNorm) as Tensor) : clipNorm;
        gradients = { ...gradients, ...clipGradients(counted, largest, clipOf, countedSquares) };
      }
      const updated = optimizer.update(tensors.parameters, gradients, tensors.optimizer, scheduled);
      const after = { parameters: updated.parameters, state: result.state };
      const { parameters, state } = objective.afterUpdate?.(after, tensors, contextOf(random), result.rows) ?? after;
      return { tensors: { parameters, state, optimizer: updated.state }, metrics: replicas.mean(metrics), squares };
    });
}

/** Those of the network itself. */
function countedOf<Name extends string>(gradients: Tensors, { isDetached }: Objective<Name>): Tensors {
  return Object.fromEntries(Object.entries(gradients).filter(([name]) => !isDetached?.(name)));
}

/** @param part of the batch that is here */
function asReplica<Result>({ index, count, statistics }: Replicas, part: Tensors, body: () => Result): Result {
  if (count === 1) return body();
  const rows = Object.values(part)[0]?.shape[0] ?? 0;
  return withReplicaScope({ index, count, rows, statistics }, body);
}

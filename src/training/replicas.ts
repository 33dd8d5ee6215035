import type { Tensor, Tensors } from '../engine/index.js';

/** The devices or processes that train one model together. Losses and steps communicate only through this. */
export interface Replicas {
  readonly index: number;
  readonly count: number;
  /**
   * The rows of all replicas, in the order of their indices: `[rows, ...]` to `[count * rows, ...]`. Its gradient is this
   * replica's part of the gradient, summed over replicas.
   */
  gather(rows: Tensor): Tensor;
  /** The mean over replicas of each tensor. */
  mean(tensors: Tensors): Tensors;
}

/** A training on one device. */
export const singleReplica: Replicas = { index: 0, count: 1, gather: (rows) => rows, mean: (tensors) => tensors };

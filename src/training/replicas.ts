import {
  allGather,
  allReduce,
  type Cluster,
  elementsOf,
  type StatisticsExchange,
  type Tensor,
  type Tensors,
  tf,
} from '../engine/index.js';

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
  /** Lets batch norm see the rows of all; without it each replica has statistics of its own. */
  readonly statistics?: StatisticsExchange;
}

/** A training on one device. */
export const singleReplica: Replicas = { index: 0, count: 1, gather: (rows) => rows, mean: (tensors) => tensors };

/** Elements of what is reduced at a time: 50 MB. */
const packedElements = 12.5e6;

/**
 * The processes of a cluster as replicas. Each has an equal part of every batch (see `BatchSourceOptions.replica`), and all
 * have the same weights: those of one process that has the whole batch, but for rounding.
 *
 * @param options.packed elements of float32 that are reduced at a time, at the most, but for larger tensors
 */
export function replicasOf({ index, count }: Cluster, { packed = packedElements } = {}): Replicas {
  return {
    ...{ index, count, gather: allGather, statistics: { gather: allGather, sum: allReduce } },
    mean: (tensors) =>
      tf.tidy(() => Object.assign({}, ...packs(tensors, packed).map((pack) => meanOf(pack, count)))) as Tensors,
  };
}

/**
 * Groups of tensors. The last come first: of gradients, the backward pass has those first, and they are reduced while it
 * goes on.
 */
function packs(tensors: Tensors, largest: number): Tensors[] {
  const packs: Tensors[] = [];
  for (const [name, tensor] of Object.entries(tensors).reverse()) {
    if (tensor.dtype !== 'float32') {
      throw new RangeError(`the mean over replicas is of float32 tensors; "${name}" is ${tensor.dtype}`);
    }
    const pack = packs.at(-1);
    if (pack && elementsOf(pack) + tensor.size <= largest) pack[name] = tensor;
    else packs.push({ [name]: tensor });
  }
  return packs;
}

/** In one reduction. */
function meanOf(pack: Tensors, count: number): Tensors {
  const names = Object.keys(pack);
  const flat = Object.values(pack).map((tensor) => tensor.flatten());
  const mean = allReduce(tf.concat(flat)).div(count) as Tensor;
  const parts = tf.split(
    mean,
    flat.map(({ size }) => size),
  );
  return Object.fromEntries(names.map((name, at) => [name, parts[at]!.reshape(pack[name]!.shape)]));
}

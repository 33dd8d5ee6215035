import {
  allGather,
  allReduce,
  type Cluster,
  elementsOf,
  leaveCluster,
  type StatisticsExchange,
  type Tensor,
  type Tensors,
  tf,
} from '../engine/index.js';
import { following, leading, together, valuesOfAll } from './wait-for-others.js';

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
  /**
   * Lets the first replica do what one of them has to, as long as it takes; the others wait until it is done.
   *
   * @returns everywhere what the first one's `work` gave
   * @throws what `work` throws, on the first; on the others Error that says so
   */
  first(work: () => Promise<number>): Promise<number>;
  /** Each does work of its own, as long as it takes, and waits until all have done theirs. */
  together<Result>(work: () => Promise<Result>): Promise<Result>;
  /** A number of each, in the order of their indices, as float32. */
  valuesOfAll(value: number): Promise<number[]>;
  /** To be called by each before its process ends: until then others may wait for what it has for them. */
  leave(): Promise<void>;
}

/** A training on one device. */
export const singleReplica: Replicas = {
  ...{ index: 0, count: 1 },
  gather: (rows) => rows,
  mean: (tensors) => tensors,
  first: (work) => work(),
  together: (work) => work(),
  valuesOfAll: async (value) => [value],
  leave: async () => {},
};

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
    first: (work) => (index === 0 ? leading(work) : following()),
    together: (work) => together(work, count),
    valuesOfAll: (value) => valuesOfAll(value, { index, count }),
    leave: leaveCluster,
    ...{ index, count, gather: allGather, statistics: { gather: allGather, sum: allReduce } },
    mean: (tensors) =>
      tf.tidy(() => Object.assign({}, ...packs(tensors, packed).map((pack) => meanOf(pack, count)))) as Tensors,
  };
}

/**
 * The same work without the others: what they would send is taken to be what is here, and nothing is exchanged. What comes of
 * it is of no use, but takes the time that the work takes.
 */
export function withoutExchange(replicas: Replicas): Replicas {
  const { count, statistics } = replicas;
  const gather = (rows: Tensor) => tf.concat(new Array<Tensor>(count).fill(rows)) as Tensor;
  return {
    ...{ ...replicas, gather, mean: (tensors) => tensors },
    statistics: statistics && { gather, sum: (x) => x.mul(count) as Tensor },
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

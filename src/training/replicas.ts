import { setTimeout } from 'node:timers/promises';
import {
  allGather,
  allReduce,
  type Cluster,
  elementsOf,
  leaveCluster,
  type StatisticsExchange,
  sumOfProcesses,
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
  /**
   * Lets the first replica do what one of them has to, as long as it takes; the others wait until it is done.
   *
   * @returns everywhere what the first one's `work` gave
   * @throws what `work` throws, on the first; on the others Error that says so
   */
  first(work: () => Promise<number>): Promise<number>;
  /** To be called by each before its process ends: until then others may wait for what it has for them. */
  leave(): Promise<void>;
}

/** A training on one device. */
export const singleReplica: Replicas = {
  ...{ index: 0, count: 1 },
  gather: (rows) => rows,
  mean: (tensors) => tensors,
  first: (work) => work(),
  leave: async () => {},
};

/** Between signs of life of the first replica while the others wait, ms. */
const lifeSignInterval = 500;

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
    leave: leaveCluster,
    ...{ index, count, gather: allGather, statistics: { gather: allGather, sum: allReduce } },
    mean: (tensors) =>
      tf.tidy(() => Object.assign({}, ...packs(tensors, packed).map((pack) => meanOf(pack, count)))) as Tensors,
  };
}

/** What the first replica tells the others while it works. */
const state = { busy: 0, done: 1, failed: 2 };

/** Gives a sign of life every now and then, so that a first replica that hangs is still found after the timeout. */
async function leading(work: () => Promise<number>): Promise<number> {
  let isOver = false;
  const outcome = work()
    .then(
      (result) => ({ result }),
      (error: Error) => ({ error }),
    )
    .finally(() => {
      isOver = true;
    });
  while (!isOver) {
    await sumOfProcesses(state.busy);
    await Promise.race([outcome, setTimeout(lifeSignInterval, undefined, { ref: false })]);
  }
  const ended = await outcome;
  if ('error' in ended) {
    await sumOfProcesses(state.failed);
    throw ended.error;
  }
  await sumOfProcesses(state.done);
  return sumOfProcesses(ended.result);
}

async function following(): Promise<number> {
  let told = state.busy;
  while (told === state.busy) told = await sumOfProcesses(0);
  if (told === state.failed)
    throw new Error('the first worker failed while the others waited for it; its error says why');
  return sumOfProcesses(0);
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

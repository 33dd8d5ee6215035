import type { ViewRecipe } from '../augment/index.js';
import { l2Normalize, randomNormal, type Tensor, type Tensors, tf, withOwnStatistics } from '../engine/index.js';
import { type Backbone, type ModelTensors, mlp, subModel, withHead } from '../models/index.js';
import type { Replicas } from '../training/index.js';
import { infoNce } from './info-nce.js';
import type { Method } from './method.js';
import { momentumCopy, nextState, updateMomentumCopy, withMomentumCopy } from './momentum.js';

export interface MocoV2Options {
  backbone: Backbone;
  /** Queries and keys are drawn from it. */
  views: ViewRecipe;
  /** Of the projector's hidden layer. */
  hiddenSize: number;
  /** Of the projections, among which queries and keys are compared. */
  outputSize: number;
  /** Divides the similarities. */
  temperature: number;
  /** Momentum of the key encoder. */
  momentum: number;
  /** Keys of earlier batches that are kept, as negatives. */
  queueSize: number;
  /**
   * Groups of a batch, each with batch statistics of its own. It must divide the batch, and several replicas must divide
   * it; with one group, its statistics are those of the whole batch wherever its rows are.
   */
  batchNormGroups: number;
  /** Whether the projector has batch norm behind its hidden layer, as in MoCo v3 (arXiv 2104.02057); in MoCo v2 it has none. */
  headBatchNorm?: boolean;
}

/**
 * MoCo v2 (Chen et al., 2020; arXiv 2003.04297, and 1911.05722, algorithm 1): a query has to find the key of its patch's
 * other view among the keys of earlier batches, which a slow copy of the network made. The copy moves after the optimizer:
 * the same as before the next step's keys, where the authors have it.
 *
 * Batch norm would tell which keys were made beside a query's own. On several GPUs the authors shuffle the keys between
 * them; here the groups of keys are dealt anew, so that each holds an equal part of every group of queries, on one device
 * and among several replicas. Running statistics move by the mean over groups.
 */
export function mocoV2(options: MocoV2Options): Method {
  const { backbone, views, hiddenSize, outputSize, temperature, momentum, queueSize, batchNormGroups } = options;
  const { headBatchNorm = false } = options;
  const norm = headBatchNorm ? 'hidden' : 'none';
  const head = mlp([backbone.featureSize, hiddenSize, outputSize], { norm, bias: 'every' });
  const network = withHead(backbone, head);
  const encode = (model: ModelTensors, images: Tensor, replicas: Replicas) => {
    const apart = replicas.count > 1 && batchNormGroups > 1;
    const groups = tf.split(images, apart ? batchNormGroups / replicas.count : batchNormGroups);
    const apply = () => groups.map((group) => network.apply(model, group, { training: true }));
    const passes = apart ? withOwnStatistics(apply) : apply();
    const moved = meanState(
      model,
      passes.map(({ state }) => state),
    );
    return {
      outputs: l2Normalize(tf.concat(passes.map(({ outputs }) => outputs))),
      state: { ...passes[0]!.state, ...(apart ? replicas.mean(moved) : moved) },
    };
  };
  return {
    name: 'MoCo v2',
    settings: { hiddenSize, outputSize, temperature, momentum, queueSize, batchNormGroups, headBatchNorm },
    backbone,
    views: [views, views],
    initialize(key, start) {
      const { parameters, state } = withMomentumCopy(network.initialize(key, start.backbone));
      const queue = l2Normalize(randomNormal(key.fold('queue'), [queueSize, outputSize]));
      return { parameters, state: { ...state, queue } };
    },
    loss(model, { views: [first, second] }, { replicas }) {
      const { index, count, gather } = replicas;
      const rows = first!.shape[0]!;
      const batch = count * rows;
      if (batch % batchNormGroups !== 0) {
        throw new RangeError(`MoCo v2: ${batchNormGroups} groups of batch norm do not divide a batch of ${batch}`);
      }
      if (batchNormGroups > 1 && batchNormGroups % count !== 0) {
        throw new RangeError(
          `MoCo v2: ${batchNormGroups} groups of batch norm cannot be divided among ${count} replicas; take 1 or a multiple`,
        );
      }
      /** Deals the whole batch, and takes the rows that then belong here. */
      const dealt = (here: Tensor, piles: number) => tf.split(deal(gather(here), piles), count)[index]!;
      const queries = encode(model, first!, replicas);
      const keys = encode(momentumCopy(model), dealt(second!, batchNormGroups), replicas);
      const own = dealt(keys.outputs, batch / batchNormGroups);
      const { loss, accuracy } = infoNce(queries.outputs, own, model.state.queue!, temperature);
      return {
        ...{ loss, state: nextState(model, queries.state, keys.state) },
        ...{ rows: { keys: own }, metrics: { accuracy } },
      };
    },
    afterUpdate(after, _before, { replicas }, { keys }) {
      const { parameters, state } = updateMomentumCopy(after, { decay: momentum });
      return { parameters, state: { ...state, queue: enqueue(state.queue!, replicas.gather(keys!)) } };
    },
    chanceLoss: () => Math.log(queueSize + 1),
    encoder: (model) => subModel(model, 'backbone'),
  };
}

/** What the groups' passes have changed of a state, their mean: wherever they are, a batch moves it once. */
function meanState(before: ModelTensors, after: readonly Tensors[]): Tensors {
  const changed = Object.keys(after[0]!).filter((name) => after[0]![name] !== before.state[name]);
  const meanOf = (name: string) => tf.addN(after.map((state) => state[name]!)).div(after.length) as Tensor;
  return Object.fromEntries(changed.map((name) => [name, after.length === 1 ? after[0]![name]! : meanOf(name)]));
}

/** Transposes rows between groups, as in dealing cards: the first of each group, the second... */
function deal(rows: Tensor, piles: number): Tensor {
  const [count, ...rest] = rows.shape as [number, ...number[]];
  const inPiles = rows.reshape([count / piles, piles, rest.reduce((size, side) => size * side, 1)]);
  return inPiles.transpose([1, 0, 2]).reshape([count, ...rest]);
}

/** The newest keys in front; as many of the oldest leave, whether batches fill the queue evenly or not. */
function enqueue(queue: Tensor, keys: Tensor): Tensor {
  return tf.concat([keys, queue]).slice([0, 0], [queue.shape[0]!, -1]);
}

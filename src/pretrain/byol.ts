import type { ViewRecipe } from '../augment/index.js';
import {
  crossEntropy,
  dense,
  getTensor,
  l2Normalize,
  stopGradient,
  type Tensor,
  tf,
  truncatedNormal,
  withPrefix,
} from '../engine/index.js';
import {
  applySequentially,
  type Backbone,
  joinModels,
  type MlpOptions,
  type ModelTensors,
  mlp,
  subModel,
  withHead,
} from '../models/index.js';
import { cosine, type Replicas } from '../training/index.js';
import type { Method, ViewBatch } from './method.js';
import { momentumCopy, nextState, updateMomentumCopy, withMomentumCopy } from './momentum.js';

export interface ByolOptions {
  backbone: Backbone;
  /** The two differ in blur and solarization; see `byolViews`. */
  views: readonly [ViewRecipe, ViewRecipe];
  /** Of the hidden layer of projector and predictor. */
  hiddenSize: number;
  /** Of projections and predictions. */
  outputSize: number;
  /** Momentum of the target at the first step; it rises to 1. tau in the paper. */
  momentum: number;
  /** Whether a linear classifier learns beside the network, which it does not influence, where patches have classes. */
  classifier?: boolean;
}

/** As the paper's reference code has it: deviation 1 / sqrt(inputs), truncated. */
const head: MlpOptions = {
  norm: 'hidden',
  bias: 'hidden',
  weight: (key, shape) => truncatedNormal(key, shape, 0, 1 / Math.sqrt(shape[1])),
};

/**
 * BYOL (Grill et al., 2020; arXiv 2006.07733, algorithm 1): each view predicts the output of a slow copy of the
 * network, the target, for the other view. There are no negatives; the predictor and the moving average prevent
 * collapse. The target runs in training mode, as the authors' does. Each view has its own batch statistics.
 */
export function byol(options: ByolOptions): Method<'oneMinusMomentum'> {
  const { backbone, views, hiddenSize, outputSize, momentum, classifier = false } = options;
  const network = withHead(backbone, mlp([backbone.featureSize, hiddenSize, outputSize], head));
  const predictor = mlp([outputSize, hiddenSize, outputSize], head);
  const training = { training: true };
  return {
    name: 'BYOL',
    settings: { hiddenSize, outputSize, momentum, classifier },
    backbone,
    views,
    initialize(key, start) {
      const online = withMomentumCopy(network.initialize(key, start.backbone));
      const others = joinModels({ predictor: predictor.initialize(key.fold('predictor')) });
      const classes = start.classNames.length;
      if (classifier && classes > 0) {
        const weight = truncatedNormal(key.fold('classifier'), [classes, backbone.featureSize], 0, 0.01);
        Object.assign(others.parameters, { 'classifier.weight': weight, 'classifier.bias': tf.zeros([classes]) });
      }
      return {
        parameters: { ...online.parameters, ...others.parameters },
        state: { ...online.state, ...others.state },
      };
    },
    loss(model, { views, ...classes }, { replicas }) {
      const online = applySequentially(model, views, (model, images) => network.apply(model, images, training));
      const target = applySequentially(momentumCopy(model), views, (model, images) =>
        network.apply(model, images, training),
      );
      const projections = online.passes.map(({ outputs }) => outputs);
      const predicted = applySequentially(subModel(model, 'predictor'), projections, (model, rows) =>
        predictor.apply(model, rows, training),
      );
      const [first, second] = predicted.passes.map(({ outputs }) => outputs) as [Tensor, Tensor];
      const [toFirst, toSecond] = target.passes.map(({ outputs }) => outputs) as [Tensor, Tensor];
      const loss = byolLoss(first, toSecond).add(byolLoss(second, toFirst)) as Tensor;
      const left = { ...online.state, ...withPrefix(predicted.state, 'predictor.') };
      const state = nextState(model, left, target.state);
      if (!model.parameters['classifier.weight']) return { loss, state };
      const { classifierLoss, classifierAccuracy } = classify(model, online.passes[0]!.features, classes, replicas);
      // It adds a gradient, but no value.
      const learning = classifierLoss.sub(stopGradient(classifierLoss));
      return { loss: loss.add(learning), state, metrics: { classifierLoss, classifierAccuracy } };
    },
    isDetached: (name) => name.startsWith('classifier.'),
    schedules: ({ steps }) => ({ oneMinusMomentum: cosine({ from: 1 - momentum, to: 0, steps }) }),
    afterUpdate: (after, _before, { scheduled }) =>
      updateMomentumCopy(after, { oneMinusDecay: scheduled.oneMinusMomentum }),
    encoder: (model) => subModel(model, 'backbone'),
  };
}

/**
 * Squared distance of predictions and targets of unit length (equation 2), averaged over the batch: 0 to 4, 2 - 2 cos.
 *
 * @param predictions `[batch, size]`; they need not be normalized
 * @param targets the same of the target's; no gradient should flow to them
 */
export function byolLoss(predictions: Tensor, targets: Tensor): Tensor {
  const cosines = l2Normalize(predictions).mul(l2Normalize(targets)).sum(1);
  return tf.sub(2, cosines.mean().mul(2));
}

/**
 * The detached classifier on the first view's features: patches without a class do not count. Its loss is a mean over those
 * that have one in the whole batch, also where that is taken in micro-batches.
 */
function classify(
  { parameters }: ModelTensors,
  features: Tensor,
  { labels, allLabels = labels }: Pick<ViewBatch, 'labels' | 'allLabels'>,
  replicas: Replicas,
) {
  const logits = dense(stopGradient(features), parameters['classifier.weight']!, parameters['classifier.bias']!);
  const knownOf = (labels: Tensor) => labels.greaterEqual(tf.scalar(0, 'int32')).toFloat();
  const right = logits.argMax(1).toInt().equal(labels).toFloat().mul(knownOf(labels)).sum();
  const parts = allLabels.size / labels.size;
  const mean = getTensor(replicas.mean({ known: knownOf(allLabels).sum() }), 'known').div(parts) as Tensor;
  return {
    classifierLoss: crossEntropy(logits, labels, { ignoreLabel: -1, meanWeight: () => mean }),
    classifierAccuracy: right.div(tf.maximum(mean, 1 / (parts * replicas.count))) as Tensor,
  };
}

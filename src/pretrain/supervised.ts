import type { ViewRecipe } from '../augment/index.js';
import {
  crossEntropy,
  dense,
  dropout,
  getTensor,
  randomUniform,
  type Tensor,
  tf,
  withPrefix,
} from '../engine/index.js';
import { classWeights } from '../input/index.js';
import { type Backbone, copyModel, joinModels, type ModelTensors, subModel } from '../models/index.js';
import type { Method, MethodStart } from './method.js';

export interface SupervisedOptions {
  backbone: Backbone;
  views: ViewRecipe;
  /** Rate of the dropout before the classifier. */
  dropout: number;
  /** Share of each target that is spread over all classes. */
  labelSmoothing: number;
  /** Whether rare classes weigh more, in inverse proportion to their patches; see `classWeights`. */
  weighted: boolean;
}

/** Weight of an auxiliary classifier's loss: torchvision's. */
const auxiliaryWeight = 0.4;

/**
 * Supervised pretraining: a linear classifier on the features names each patch's class, from one view; and so does the
 * auxiliary classifier of a network that has one.
 */
export function supervised({ backbone, views, dropout: rate, labelSmoothing, weighted }: SupervisedOptions): Method {
  const classify = (model: ModelTensors, features: Tensor) => {
    const { parameters } = subModel(model, 'head');
    return dense(features, getTensor(parameters, 'weight'), parameters.bias);
  };
  return {
    name: 'Supervised',
    settings: { dropout: rate, labelSmoothing, weighted },
    backbone,
    views: [views],
    supervised: true,
    needsWholeBatch: weighted ? "weights of classes make the loss a mean over the whole batch's weights" : undefined,
    initialize(key, start) {
      checkLabels(start);
      const classes = start.classNames.length;
      // As PyTorch's linear layer.
      const bound = 1 / Math.sqrt(backbone.featureSize);
      const head: ModelTensors = {
        parameters: {
          weight: randomUniform(key.fold('head.weight'), [classes, backbone.featureSize], -bound, bound),
          bias: randomUniform(key.fold('head.bias'), [classes], -bound, bound),
        },
        state: { weights: weighted ? tf.tensor1d(classWeights(start.labels, classes)) : tf.ones([classes]) },
      };
      const weights = start.backbone ? copyModel(start.backbone) : backbone.initialize(key.fold('backbone'));
      return joinModels({ backbone: weights, head });
    },
    loss(model, { views: [images], labels }, { random, replicas }) {
      const encoded = backbone.apply(subModel(model, 'backbone'), images!, {
        training: true,
        key: random.fold('path'),
      });
      const { state } = subModel(model, 'head');
      const logits = classify(model, dropout(encoded.features, rate, random.fold('dropout')));
      const meanWeight = weighted ? (weight: Tensor) => getTensor(replicas.mean({ weight }), 'weight') : undefined;
      const lossOf = (logits: Tensor) =>
        crossEntropy(logits, labels, { classWeights: getTensor(state, 'weights'), labelSmoothing, meanWeight });
      const { auxiliary } = encoded;
      return {
        loss: auxiliary ? lossOf(logits).add(lossOf(auxiliary).mul(auxiliaryWeight)) : lossOf(logits),
        state: { ...model.state, ...withPrefix(encoded.state, 'backbone.') },
        metrics: { accuracy: logits.argMax(1).toInt().equal(labels).toFloat().mean() },
      };
    },
    predict(model, images) {
      const { features } = backbone.apply(subModel(model, 'backbone'), images, { training: false });
      return classify(model, features);
    },
    classify,
    chanceLoss: ({ dataset }) => Math.log(dataset.classNames.length),
    encoder: (model) => subModel(model, 'backbone'),
  };
}

function checkLabels({ labels, classNames }: MethodStart): void {
  const without = labels.filter((label) => label < 0).length;
  if (without > 0 || labels.length === 0 || classNames.length < 2) {
    throw new RangeError(
      `supervised pretraining learns from classes, two at least: there are ${classNames.length}, and ${without} of ` +
        `${labels.length} patches have none. Exclude those, or use a self-supervised method`,
    );
  }
}

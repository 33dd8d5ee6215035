import type { ViewRecipe } from '../augment/index.js';
import {
  crossEntropy,
  dense,
  disposeTensors,
  dropout,
  getTensor,
  randomUniform,
  type Tensor,
  type Tensors,
  tf,
  withPrefix,
} from '../engine/index.js';
import { classWeights } from '../input/index.js';
import { type Backbone, copyModel, fittingSize, joinModels, type ModelTensors, subModel } from '../models/index.js';
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
 * auxiliary classifier of a network that has one, where views are large enough for it. It is not kept.
 */
export function supervised({ backbone, views, dropout: rate, labelSmoothing, weighted }: SupervisedOptions): Method {
  const trained = (classes: number): Backbone => {
    const whole = backbone.auxiliary?.withClasses(classes);
    return whole && fittingSize(whole, views.size) === views.size ? whole : backbone;
  };
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
      const network = trained(classes);
      const drawn = () => network.initialize(key.fold('backbone'));
      const given = start.backbone && copyModel(start.backbone);
      const weights = given && network !== backbone ? completed(given, drawn()) : (given ?? drawn());
      return joinModels({ backbone: weights, head });
    },
    loss(model, { views: [images], labels }, { random, replicas }) {
      const classes = getTensor(model.parameters, 'head.weight').shape[0]!;
      const encoded = trained(classes).apply(subModel(model, 'backbone'), images!, {
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
    chanceLoss({ dataset: { classNames } }) {
      const factor = trained(classNames.length) === backbone ? 1 : 1 + auxiliaryWeight;
      return factor * Math.log(classNames.length);
    },
    encoder(model) {
      const { parameters, state } = subModel(model, 'backbone');
      return { parameters: withoutAuxiliary(parameters, backbone), state: withoutAuxiliary(state, backbone) };
    },
  };
}

/** A model with what it lacks of another one, of which the rest is disposed of. */
function completed(model: ModelTensors, other: ModelTensors): ModelTensors {
  const part = (which: keyof ModelTensors): Tensors => {
    const added = Object.entries(other[which]).filter(([name]) => !(name in model[which]));
    disposeTensors(Object.fromEntries(Object.entries(other[which]).filter(([name]) => name in model[which])));
    return { ...model[which], ...Object.fromEntries(added) };
  };
  return { parameters: part('parameters'), state: part('state') };
}

function withoutAuxiliary(tensors: Tensors, { auxiliary }: Backbone): Tensors {
  if (!auxiliary) return tensors;
  return Object.fromEntries(Object.entries(tensors).filter(([name]) => !name.startsWith(auxiliary.prefix)));
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

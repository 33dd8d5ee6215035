import type { ViewRecipe } from '../augment/index.js';
import { type Tensor, tf } from '../engine/index.js';
import { type Backbone, mlp, subModel, withHead } from '../models/index.js';
import type { Method } from './method.js';
import { ntXent } from './nt-xent.js';

export interface SimclrOptions {
  backbone: Backbone;
  /** Both views are drawn from it. */
  views: ViewRecipe;
  /** Of the projector's hidden layer. */
  hiddenSize: number;
  /** Of the projections, among which views are compared. */
  outputSize: number;
  /** Divides the similarities. */
  temperature: number;
}

/**
 * SimCLR (Chen et al., 2020; arXiv 2002.05709, algorithm 1): two views of a patch have to find each other among those of
 * the batch. The projector has two layers, each with batch norm, as OpenSelfSup's NonLinearNeckSimCLR (whose second batch
 * norm has a bias, unlike the authors').
 */
export function simclr({ backbone, views, hiddenSize, outputSize, temperature }: SimclrOptions): Method {
  const network = withHead(backbone, mlp([backbone.featureSize, hiddenSize, outputSize]));
  return {
    name: 'SimCLR',
    settings: { hiddenSize, outputSize, temperature },
    backbone,
    views: [views, views],
    needsWholeBatch: "SimCLR's negatives are the other images of the batch",
    initialize: (key, { backbone }) => network.initialize(key, backbone),
    loss(model, { views }, { replicas }) {
      // One pass of all views, so that batch norm sees them together.
      const { outputs, state } = network.apply(model, tf.concat([...views]), { training: true });
      const [first, second] = tf.split(outputs, 2).map(replicas.gather) as [Tensor, Tensor];
      const { loss, accuracy } = ntXent(first, second, temperature);
      return { loss, state, metrics: { accuracy } };
    },
    chanceLoss: ({ batchSize }) => Math.log(2 * batchSize - 1),
    encoder: (model) => subModel(model, 'backbone'),
  };
}

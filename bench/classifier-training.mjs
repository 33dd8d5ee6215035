import { crossEntropy, dense, dropout, randomNormal, tf } from '../dist/engine/index.js';

/**
 * Supervised training as benchmarks measure it: a backbone, one dense layer, cross entropy.
 *
 * @param {object} options
 * @param {import('../dist/index.js').Backbone} options.backbone
 * @param {number} options.classes
 * @param {number} [options.dropoutRate] of the features
 * @param {number} [options.labelSmoothing]
 * @param {(batch: import('../dist/index.js').Tensors) => import('../dist/index.js').Tensors} [options.input] makes images
 *   and int32 labels of what the host gives; by default it gives them
 * @returns {import('../dist/index.js').Objective}
 */
export function classifierObjective({
  backbone,
  classes,
  dropoutRate = 0,
  labelSmoothing = 0,
  input = (batch) => batch,
}) {
  return {
    initialize(key) {
      const { parameters, state } = backbone.initialize(key.fold('backbone'));
      parameters['classifier.weight'] = randomNormal(key.fold('classifier'), [classes, backbone.featureSize], 0, 0.02);
      parameters['classifier.bias'] = tf.zeros([classes]);
      return { parameters, state };
    },
    loss(model, batch, { random }) {
      const { images, labels } = input(batch);
      const encoded = backbone.apply(model, images, { training: true });
      const features = dropout(encoded.features, dropoutRate, random);
      const logits = dense(features, model.parameters['classifier.weight'], model.parameters['classifier.bias']);
      return { loss: crossEntropy(logits, labels, { labelSmoothing }), state: encoded.state };
    },
  };
}

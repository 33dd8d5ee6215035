import { crossEntropy, dense, gradients, randomNormal, tf } from '../dist/index.js';

/**
 * Supervised training as benchmarks measure it: a backbone, one dense layer, cross entropy, an update.
 *
 * @param {object} options
 * @param {import('../dist/index.js').Backbone} options.backbone
 * @param {import('../dist/index.js').Optimizer} options.optimizer
 * @param {number} options.classes
 * @param {import('../dist/index.js').Key} options.random
 * @returns the step, to be compiled: of tensors, images, int32 labels and a learning rate; and the tensors to start from
 */
export function classifierTraining({ backbone, optimizer, classes, random }) {
  function trainStep(tensors, images, labels, learningRate) {
    const result = gradients(tensors.parameters, (parameters) => {
      const { features, state } = backbone.apply({ parameters, state: tensors.state }, images, { training: true });
      const logits = dense(features, parameters['classifier.weight'], parameters['classifier.bias']);
      return { loss: crossEntropy(logits, labels), extra: state };
    });
    const next = optimizer.update(tensors.parameters, result.gradients, tensors.optimizer, learningRate);
    return {
      tensors: { parameters: next.parameters, state: result.extra, optimizer: next.state },
      loss: result.loss,
    };
  }

  const { parameters, state } = backbone.initialize(random);
  parameters['classifier.weight'] = randomNormal(random.fold('classifier'), [classes, backbone.featureSize], 0, 0.02);
  parameters['classifier.bias'] = tf.zeros([classes]);
  return { trainStep, tensors: { parameters, state, optimizer: optimizer.initialize(parameters) } };
}

import { conv2d, gradients, randomNormal, type Tensors, tf } from '../../src/engine/index.js';
import { key } from '../../src/runs/index.js';
import {
  batchOrder,
  lars,
  type Optimizer,
  type ScaledOptimizer,
  type TrainOptions,
  warmupCosine,
} from '../../src/training/index.js';

/** A small training with everything that a real one has: convolutions, state, momentum, an order of batches. */
export function smallTraining(
  steps: number,
  seed = 1,
  optimizer: Optimizer | ScaledOptimizer = lars({ weightDecay: 1e-4, trustCoefficient: 0.1 }),
): TrainOptions {
  const root = key(seed);
  const order = batchOrder({ count: 40, batchSize: 8, key: root.fold('order') });
  const data = randomNormal(root.fold('data'), [40, 8, 8, 3]);
  const answers = data.mean([1, 2, 3]).greater(0).toFloat();
  return {
    steps,
    random: root.fold('steps'),
    imagesPerStep: 8,
    learningRate: warmupCosine({ peak: 0.5, warmupSteps: 1, steps }),
    initialize: () => {
      const parameters = {
        'conv1.weight': randomNormal(root.fold('conv1'), [3, 3, 3, 8], 0, 0.2),
        'fc.weight': randomNormal(root.fold('fc'), [8, 1], 0, 0.2),
        'fc.bias': tf.zeros([1]),
      };
      return { parameters, state: { average: tf.scalar(0) }, optimizer: optimizer.initialize(parameters) };
    },
    batch: (step) =>
      tf.tidy(() => {
        const items = tf.tensor1d(order.items(step), 'int32');
        return { images: tf.gather(data, items), answers: tf.gather(answers, items) };
      }),
    step: (tensors, { images, answers }, learningRate) => {
      const lossScale = 'lossScale' in optimizer ? optimizer.lossScale(tensors.optimizer) : undefined;
      const compute = (parameters: Tensors) => {
        const features = conv2d(images!, parameters['conv1.weight']!, { padding: 1 }).abs().mean([1, 2]);
        const logits = tf.matMul(features, parameters['fc.weight']!).add(parameters['fc.bias']!).squeeze([1]);
        return { loss: logits.sub(answers!).square().mean() };
      };
      const result = gradients(tensors.parameters, compute, { lossScale });
      const updated = optimizer.update(tensors.parameters, result.gradients, tensors.optimizer, learningRate);
      const average = tensors.state.average!.mul(0.9).add(result.loss.mul(0.1));
      return {
        tensors: { parameters: updated.parameters, state: { average }, optimizer: updated.state },
        metrics: { loss: result.loss },
      };
    },
  };
}

import { key } from '../../src/base/index.js';
import { conv2d, randomNormal, type Tensor, tf } from '../../src/engine/index.js';
import {
  lars,
  type Optimizer,
  type ScaledOptimizer,
  type TrainOptions,
  warmupCosine,
} from '../../src/training/index.js';

/** A small training with everything that a real one has: convolutions, state, momentum, batches by their number. */
export function smallTraining(
  steps: number,
  seed = 1,
  optimizer: Optimizer | ScaledOptimizer = lars({ weightDecay: 1e-4, trustCoefficient: 0.1 }),
): TrainOptions {
  const root = key(seed);
  const data = randomNormal(root.fold('data'), [40, 8, 8, 3]);
  const answers = data.mean([1, 2, 3]).greater(0).toFloat();
  return {
    steps,
    optimizer,
    key: root,
    imagesPerStep: 8,
    schedules: { learningRate: warmupCosine({ peak: 0.5, warmupSteps: 1, steps }) },
    batch: (step) =>
      tf.tidy(() => {
        const generator = root.fold('order').fold(step).generator();
        const items = tf.tensor1d(
          Array.from({ length: 8 }, () => generator.integer(40)),
          'int32',
        );
        return { images: tf.gather(data, items), answers: tf.gather(answers, items) };
      }),
    objective: {
      initialize: (key) => ({
        parameters: {
          'conv1.weight': randomNormal(key.fold('conv1'), [3, 3, 3, 8], 0, 0.2),
          'fc.weight': randomNormal(key.fold('fc'), [8, 1], 0, 0.2),
          'fc.bias': tf.zeros([1]),
        },
        state: { average: tf.scalar(0) },
      }),
      loss({ parameters, state }, { images, answers }) {
        const features = conv2d(images!, parameters['conv1.weight']!, { padding: 1 }).abs().mean([1, 2]);
        const logits = tf.matMul(features, parameters['fc.weight']!).add(parameters['fc.bias']!).squeeze([1]);
        const loss = logits.sub(answers!).square().mean() as Tensor;
        return { loss, state: { average: state.average!.mul(0.9).add(loss.mul(0.1)) as Tensor } };
      },
    },
  };
}

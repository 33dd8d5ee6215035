import { key } from '../../src/base/index.js';
import {
  batchNormTraining,
  conv2d,
  dense,
  globalAveragePool,
  gradients,
  maxPool,
  randomNormal,
  randomUniform,
  relu,
  softmaxCrossEntropy,
  type Tensor,
  type Tensors,
  tf,
  zipTensors,
} from '../../src/engine/index.js';

const values = (tensor: Tensor) => Array.from(tensor.dataSync());

/** Training of a small network with every op of a ResNet's step. */
export const network = {
  initialize(): Tensors {
    const root = key('network');
    return {
      conv: randomNormal(root.fold(1), [3, 3, 3, 8], 0, 0.3),
      strided: randomNormal(root.fold(2), [3, 3, 8, 8], 0, 0.2),
      point: randomNormal(root.fold(3), [1, 1, 8, 16], 0, 0.3),
      scale: tf.ones([8]),
      shift: tf.zeros([8]),
      dense: randomNormal(root.fold(4), [5, 16], 0, 0.3),
      bias: tf.zeros([5]),
    };
  },
  state: (): Tensors => ({ mean: tf.zeros([8]), variance: tf.ones([8]) }),
  batch(step: number): Tensors {
    const labels = Array.from({ length: 6 }, (_, row) => (row + step) % 5);
    return {
      images: randomUniform(key('images').fold(step), [6, 12, 12, 3]),
      targets: tf.tidy(() => tf.oneHot(tf.tensor1d(labels, 'int32'), 5).toFloat()) as Tensor,
    };
  },
  loss(p: Tensors, state: Tensors, { images, targets }: Tensors): { loss: Tensor; running: Tensors } {
    const { y, running } = batchNormTraining(
      conv2d(images!, p.conv!, { padding: 1 }),
      { weight: p.scale!, bias: p.shift! },
      { mean: state.mean!, variance: state.variance! },
    );
    const pooled = maxPool(relu(y), { size: 3, stride: 2, padding: 1 });
    const features = relu(conv2d(conv2d(pooled, p.strided!, { stride: 2, padding: 1 }), p.point!));
    const logits = dense(globalAveragePool(features), p.dense!, p.bias!);
    return { loss: softmaxCrossEntropy(logits, targets!).mean(), running: { ...running } };
  },
  step(model: { parameters: Tensors; state: Tensors }, batch: Tensors, learningRate: Tensor) {
    const result = gradients(model.parameters, (p) => {
      const { loss, running } = network.loss(p, model.state, batch);
      return { loss, extra: running };
    });
    const parameters = zipTensors(model.parameters, result.gradients, (w, g) => w.sub(g.mul(learningRate)));
    return { model: { parameters, state: result.extra }, loss: result.loss };
  },
};

/** Trains it from the start; the step is the plain or a compiled one. */
export async function train(step: (...inputs: Parameters<typeof network.step>) => unknown, steps: number) {
  let model = { parameters: network.initialize(), state: network.state() };
  const losses: number[] = [];
  const counts: number[] = [];
  for (let i = 0; i < steps; i++) {
    const batch = network.batch(i);
    const rate = tf.scalar(0.1);
    const output = (await step(model, batch, rate)) as ReturnType<typeof network.step>;
    losses.push(values(output.loss)[0]!);
    tf.dispose([model, batch, output.loss, rate] as unknown as Tensor[]);
    model = output.model;
    counts.push(tf.memory().numTensors);
  }
  const weights = Object.values(model.parameters).flatMap(values);
  const state = Object.values(model.state).flatMap(values);
  tf.dispose(model as unknown as Tensors);
  return { losses, weights, state, counts };
}

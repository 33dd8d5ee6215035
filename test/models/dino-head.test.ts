import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { key } from '../../src/base/index.js';
import { mapTensors, type Tensor, tf } from '../../src/engine/index.js';
import { dinoHead } from '../../src/models/index.js';
import { relativeError } from '../pretrain/one-step.js';

interface Case {
  normLastLayer: boolean;
  sizes: [number, number, number, number];
  features: number[][];
  slope: number[][];
  outputs: number[][];
  parameters: Record<string, number[] | number[][]>;
  gradients: Record<string, number[] | number[][]>;
}
const cases = (
  JSON.parse(readFileSync(new URL('../fixtures/torch-methods/methods.json', import.meta.url), 'utf8')) as {
    dinoHead: Case[];
  }
).dinoHead;

const training = { training: true };

it.each(cases)(
  'DINO’s head equals PyTorch’s weight_norm, with its gradients (normLastLayer $normLastLayer)',
  (reference) => {
    const [inputs, hiddenSize, bottleneckSize, outputSize] = reference.sizes;
    const head = dinoHead({
      inputs,
      hiddenSize,
      bottleneckSize,
      outputSize,
      ...{ normLastLayer: reference.normLastLayer, batchNorm: false },
    });
    const names = Object.keys(reference.parameters);
    expect(Object.keys(head.initialize(key(1)).parameters).sort()).toEqual([...names].sort());
    const [features, slope] = [tf.tensor2d(reference.features), tf.tensor2d(reference.slope)];
    const compute = (...values: Tensor[]) => {
      const parameters = Object.fromEntries(names.map((name, at) => [name, values[at]!]));
      return head.apply({ parameters, state: {} }, features, training).outputs;
    };
    const values = names.map((name) => tf.tensor(reference.parameters[name]!));
    expect(relativeError(compute(...values), reference.outputs)).toBeLessThan(1e-5);
    const gradients = tf.grads((...values: Tensor[]) =>
      compute(...values)
        .mul(slope)
        .sum()
        .asScalar(),
    )(values);
    names.forEach((name, at) => {
      expect(relativeError(gradients[at]!, reference.gradients[name]!), name).toBeLessThan(1e-5);
    });
  },
);

it('gives rows of length 1 to vectors of length 1: outputs are cosines', () => {
  const head = dinoHead({
    inputs: 5,
    hiddenSize: 6,
    bottleneckSize: 4,
    outputSize: 7,
    normLastLayer: true,
    batchNorm: false,
  });
  const { parameters } = head.initialize(key(1));
  const longer = mapTensors(parameters, (tensor, name) => (name === 'last_layer.weight_v' ? tensor.mul(9) : tensor));
  const features = tf.randomNormal([3, 5]) as Tensor;
  const [outputs, same] = [parameters, longer].map(
    (parameters) => head.apply({ parameters, state: {} }, features, training).outputs,
  );
  expect(Math.max(...outputs!.abs().dataSync())).toBeLessThanOrEqual(1);
  expect(relativeError(same!, Array.from(outputs!.dataSync()))).toBeLessThan(1e-6);
});

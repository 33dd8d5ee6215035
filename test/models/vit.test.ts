import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { key } from '../../src/base/index.js';
import { dense, gradients, softmaxCrossEntropy, type Tensors, tf } from '../../src/engine/index.js';
import { fromTorch, toTorch, type VitOptions, vit } from '../../src/models/index.js';
import { hashUniform } from '../fixtures/hash-uniform.js';

interface Summary {
  norm: number;
  first: number[];
  last: number[];
}

interface Reference {
  options: VitOptions & { imageSize: number };
  shapes: Record<string, number[]>;
  logits: number[][];
  loss: number;
  gradients: Record<string, Summary>;
}

const product = (sizes: number[]) => sizes.reduce((a, b) => a * b, 1);

/** The weights of fixtures/torch-vit/make.py. */
function torchWeights(shapes: Record<string, number[]>): Tensors {
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape], index) => {
      const isNorm = name.includes('norm') && name.endsWith('weight');
      const factor = isNorm || !name.endsWith('weight') ? 0.25 : Math.sqrt(3 / product(shape.slice(1)));
      const values = hashUniform(index + 1, product(shape)).map((value) =>
        Math.fround(Math.fround(value * Math.fround(factor)) + (isNorm ? 1 : 0)),
      );
      return [name, tf.tensor(values, shape)];
    }),
  );
}

/** Largest difference relative to the root of the mean square of what is expected. */
function relativeError(actual: ArrayLike<number>, expected: number[], size?: number): number {
  const typical = size ?? Math.sqrt(expected.reduce((sum, value) => sum + value ** 2, 0) / expected.length);
  return Math.max(...expected.map((value, i) => Math.abs(actual[i]! - value))) / typical;
}

describe.each(['tiny', 'small-16'])("vit %s with PyTorch's weights", (name) => {
  const reference = JSON.parse(
    readFileSync(new URL(`../fixtures/torch-vit/${name}.json`, import.meta.url), 'utf8'),
  ) as Reference;
  const { imageSize } = reference.options;
  const backbone = vit(reference.options);

  it('has its names and shapes', () => {
    const made = toTorch(backbone.initialize(key(0)));
    const { 'head.weight': _weight, 'head.bias': _bias, ...shapes } = reference.shapes;
    const own = Object.fromEntries(Object.entries(made).map(([name, tensor]) => [name, tensor.shape]));
    expect(own).toEqual(shapes);
  });

  it('gives its logits, loss and gradients', () => {
    const { parameters } = fromTorch(torchWeights(reference.shapes));
    const images = tf.tensor4d(hashUniform(0, 2 * imageSize * imageSize * 3), [2, imageSize, imageSize, 3]);
    const targets = tf.oneHot(tf.tensor1d([0, 1], 'int32'), 20).toFloat();
    const result = gradients(parameters, (parameters) => {
      const { features } = backbone.apply({ parameters, state: {} }, images, { training: true });
      const logits = dense(features, parameters['head.weight']!, parameters['head.bias']);
      return { loss: softmaxCrossEntropy(logits, targets).mean(), extra: { logits } };
    });
    expect(relativeError(result.extra.logits!.dataSync(), reference.logits.flat())).toBeLessThan(1e-4);
    expect(relativeError(result.loss.dataSync(), [reference.loss])).toBeLessThan(1e-5);
    const torch = toTorch({ parameters: result.gradients, state: {} });
    expect(Object.keys(torch).sort()).toEqual(Object.keys(reference.gradients).sort());
    for (const [name, { norm, first, last }] of Object.entries(reference.gradients)) {
      const values = torch[name]!.dataSync();
      const size = norm / Math.sqrt(values.length);
      const ownNorm = Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0));
      expect(relativeError([ownNorm], [norm]), name).toBeLessThan(1e-3);
      expect(relativeError(values.slice(0, 4), first, size), name).toBeLessThan(1e-3);
      expect(relativeError(values.slice(-4), last, size), name).toBeLessThan(1e-3);
    }
  });
});

describe('vit', () => {
  const options = { imageSize: 16, patchSize: 8, width: 12, depth: 2, heads: 2 };

  it('drops whole branches in training, as its key says', () => {
    const backbone = vit({ ...options, dropPathRate: 0.9 });
    const model = backbone.initialize(key(0));
    const images = tf.ones([8, 16, 16, 3]);
    const run = (seed: number) => backbone.apply(model, images, { training: true, key: key(seed) }).features.dataSync();
    expect(run(1)).toEqual(run(1));
    expect(run(1)).not.toEqual(run(2));
    expect(() => backbone.apply(model, images, { training: true })).toThrow(/takes a key/);
  });

  it('refuses what does not fit', () => {
    expect(() => vit({ ...options, heads: 5 })).toThrow(/5 heads do not divide the width 12/);
    expect(() => vit({ ...options, imageSize: 20 })).toThrow(/8 px do not divide images of 20 px/);
    const backbone = vit(options);
    const model = backbone.initialize(key(0));
    expect(() => backbone.apply(model, tf.ones([1, 24, 24, 3]), { training: false })).toThrow(/images of 16 px/);
  });
});

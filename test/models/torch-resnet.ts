import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { type Tensor, type Tensors, tf } from '../../src/engine/index.js';
import type { Backbone } from '../../src/models/index.js';
import { hashUniform } from '../fixtures/hash-uniform.js';

interface Summary {
  norm: number;
  first: number[];
  last: number[];
}

interface Reference {
  names: string[];
  shapes: number[][];
  inference: number[][];
  features: number[][];
  loss: number;
  gradients: Record<string, Summary>;
  statistics: Record<string, Summary>;
}

/** Its weights. */
export function torchWeights({ names, shapes }: Reference): Tensors {
  return Object.fromEntries(
    names.map((name, index) => {
      const shape = shapes[index]!;
      let values = hashUniform(
        index + 1,
        shape.reduce((a, b) => a * b, 1),
      );
      const scaled = (factor: number, shift: number) =>
        values.map((value) => Math.fround(Math.fround(value * Math.fround(factor)) + shift));
      if (name.endsWith('running_mean')) values = scaled(0.1, 0);
      else if (name.endsWith('running_var')) values = scaled(0.25, 1);
      else if (shape.length === 4) values = scaled(Math.sqrt(6 / (shape[0]! * shape[2]! * shape[3]!)), 0);
      else if (name.endsWith('bn3.weight')) values = scaled(0.25, Math.fround(0.2));
      else if (name.endsWith('weight')) values = scaled(0.25, 1);
      else values = scaled(0.1, 0);
      return [name, tf.tensor(values, shape)];
    }),
  );
}

/** Difference over size, both as Euclidean norms. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>, size?: number): number {
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < expected.length; i++) {
    difference += (actual[i]! - expected[i]!) ** 2;
    norm += expected[i]! ** 2;
  }
  return Math.sqrt(difference) / (size ?? Math.sqrt(norm));
}

/** Worst disagreement with a summary, relative to the tensor's own size. */
function disagreement(tensor: Tensor, { norm, first, last }: Summary): number {
  const values = tensor.dataSync();
  // A part's error is judged against its share of the whole tensor's size.
  const share = norm * Math.sqrt(4 / values.length);
  return Math.max(
    relativeError([Math.sqrt(values.reduce((sum, value) => sum + value * value, 0))], [norm]),
    relativeError(values.slice(0, 4), first, share),
    relativeError(values.slice(-4), last, share),
  );
}

/** What fixtures/torch-resnet/make.py has found. */
export function torchReference(depth: 18 | 50): Reference {
  const path = new URL(`../fixtures/torch-resnet/resnet${depth}.json`, import.meta.url);
  return JSON.parse(readFileSync(path, 'utf8')) as Reference;
}

/** Its images. */
export function torchImages(): Tensor {
  return tf.tensor4d(hashUniform(0, 8 * 64 * 64 * 3), [8, 64, 64, 3]);
}

/** What its loss wants of the features, `[8, featureSize]`. */
export function torchPattern({ featureSize }: Backbone): Tensor {
  return tf.tensor2d(hashUniform(10_000, 8 * featureSize), [8, featureSize]);
}

/** Expects no tensor to disagree with its summary by more than `tolerance`, relative to its own size. */
export function expectAgreement(tensors: Tensors, summaries: Record<string, Summary>, tolerance: number): void {
  for (const [name, summary] of Object.entries(summaries)) {
    expect(disagreement(tensors[name]!, summary), name).toBeLessThan(tolerance);
  }
}

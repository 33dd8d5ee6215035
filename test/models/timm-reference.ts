import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { key } from '../../src/base/index.js';
import { compile, gradients, type Tensor, type Tensors, tf } from '../../src/engine/index.js';
import { type Backbone, fromTorch, type ModelTensors, toTorch } from '../../src/models/index.js';
import { hashUniform } from '../fixtures/hash-uniform.js';
import { type Digest, disagreement } from './digest.js';

interface Reference {
  shapes: Record<string, number[]>;
  cases: {
    input: [batch: number, height: number, width: number];
    inference: Digest;
    training: Digest;
    gradients: Record<string, Digest>;
    statistics: Record<string, Digest>;
  }[];
}

const product = (sizes: readonly number[]) => sizes.reduce((a, b) => a * b, 1);

/** What fixtures/timm-models/make.py has found. */
function timmReference(name: string): Reference {
  const path = new URL(`../fixtures/timm-models/${name}.json`, import.meta.url);
  return JSON.parse(readFileSync(path, 'utf8')) as Reference;
}

/** Its weights. */
function timmWeights(shapes: Reference['shapes']): Tensors {
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape], index) => {
      const values = hashUniform(index + 1, product(shape));
      const [factor, shift] = scaleOf(name, shape).map(Math.fround) as [number, number];
      return [
        name,
        tf.tensor(
          values.map((value) => Math.fround(value * factor) + shift),
          shape,
        ),
      ];
    }),
  );
}

/** A network's weights and statistics, those of fixtures/timm-models. */
export function timmModel(name: string): ModelTensors {
  return fromTorch(timmWeights(timmReference(name).shapes));
}

function scaleOf(name: string, shape: readonly number[]): [factor: number, shift: number] {
  if (name.endsWith('running_mean')) return [0.1, 0];
  if (name.endsWith('running_var')) return [0.25, 1];
  if (name.endsWith('gamma')) return [0.25, 0.5];
  if (name.endsWith('weight') && shape.length > 1) {
    return [shape.length === 4 ? Math.sqrt(6 / product(shape.slice(1))) : Math.sqrt(3 / shape[1]!), 0];
  }
  if (name.endsWith('weight')) return [0.25, name.endsWith('bn3.weight') ? 0.2 : 1];
  return [0.1, 0];
}

function expectAgreement(tensors: Tensors, digests: Record<string, Digest>, tolerance: number): void {
  expect(Object.keys(tensors).sort()).toEqual(Object.keys(digests).sort());
  const floor = 1e-4 * Math.max(...Object.values(digests).map(([norm]) => norm!));
  for (const [name, digest] of Object.entries(digests)) {
    expect(disagreement(tensors[name]!, digest, floor), name).toBeLessThan(tolerance);
  }
}

/** Expects the backbone to have the names and shapes of timm's network. */
export function expectTimmShapes(backbone: Backbone, name: string): void {
  tf.tidy(() => {
    const made = toTorch(backbone.initialize(key(0)));
    const shapes = Object.fromEntries(Object.entries(made).map(([name, tensor]) => [name, tensor.shape]));
    expect(shapes).toEqual(timmReference(name).shapes);
  });
}

/**
 * Expects of every input of the fixture timm's features in inference and training and its running statistics within 1e-4, and
 * its gradients within 1e-3, relative to each tensor's size.
 *
 * @param rectified of a million values before relus a few stand so near 0 that float32 and float64 disagree on their side,
 *   and each moves the gradients before it: of these small inputs PyTorch's own gradients in float32 are off by up to .094
 *   (`inFloat32` in the fixtures). Then .1 is allowed, which tells a wrong gradient from a rounded one and no more;
 *   `expectExactGradients` compares them exactly
 * @param training how far the features in training may be off
 */
export function expectTimmValues(backbone: Backbone, name: string, { rectified = false, training = 1e-4 } = {}): void {
  const { shapes, cases } = timmReference(name);
  for (const reference of cases) {
    tf.tidy(() => {
      const model = fromTorch(timmWeights(shapes));
      const images = imagesOf(reference.input);
      const inference = backbone.apply(model, images, { training: false });
      expect(inference.features.shape).toEqual([images.shape[0], backbone.featureSize]);
      expect(disagreement(inference.features, reference.inference)).toBeLessThan(1e-4);
      const { gradients, extra } = trained(backbone, model, images);
      const { features, ...statistics } = extra;
      expect(disagreement(features!, reference.training)).toBeLessThan(training);
      expectAgreement(toTorch({ parameters: gradients, state: {} }), reference.gradients, rectified ? 0.1 : 1e-3);
      expectAgreement(statistics, reference.statistics, 1e-4);
    });
  }
}

/** Expects timm's gradients of the fixture's first input within 1e-5, computed in float64 too. */
export async function expectExactGradients(backbone: Backbone, name: string): Promise<void> {
  const { shapes, cases } = timmReference(name);
  const [reference] = cases as [Reference['cases'][number]];
  const step = compile((model: ModelTensors, images: Tensor) => trained(backbone, model, images).gradients, {
    precision: 'float64',
    name: 'exactStep',
  });
  const gradients = await step(fromTorch(timmWeights(shapes)), imagesOf(reference.input));
  step.dispose();
  expectAgreement(toTorch({ parameters: gradients, state: {} }), reference.gradients, 1e-5);
}

function imagesOf([batch, height, width]: readonly [number, number, number]): Tensor {
  return tf.tensor4d(hashUniform(0, batch * height * width * 3), [batch, height, width, 3]);
}

/** A step whose loss wants the features to be a pattern. */
function trained(backbone: Backbone, model: ModelTensors, images: Tensor) {
  const pattern = (shape: number[]) => tf.tensor(hashUniform(10_000, product(shape)), shape);
  return gradients(model.parameters, (parameters) => {
    const { features, state } = backbone.apply({ parameters, state: model.state }, images, { training: true });
    return { loss: features.sub(pattern(features.shape)).square().mean(), extra: { features, ...state } };
  });
}

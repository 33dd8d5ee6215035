import { describe, expect, it, vi } from 'vitest';
import { compile, gradients, type Tensor, type Tensors } from '../../src/engine/index.js';
import { fromTorch, resnet, toTorch } from '../../src/models/index.js';
import {
  expectAgreement,
  relativeError,
  torchImages,
  torchPattern,
  torchReference,
  torchWeights,
} from './torch-resnet.js';

// TensorFlow has no float64 form of its batch norm, nor has pathlab's op: here it is made of elementary ops.
// test/engine/batch-norm.test.ts compares it with both.
vi.mock('../../src/engine/ops/batch-norm.js', async (original) => {
  const { elementaryNorm } = await import('../engine/elementary-norm.js');
  return {
    ...((await original()) as object),
    batchNormTraining: (
      ...[x, parameters, running, after]: [Tensor, { weight: Tensor; bias: Tensor }, object, object]
    ) => {
      return { y: elementaryNorm(x, parameters, after), running };
    },
  };
});

vi.mock('../../src/engine/ops/norm-conv2d.js', async () => {
  const { conv2d } = await import('../../src/engine/ops/conv2d.js');
  const { elementaryNorm } = await import('../engine/elementary-norm.js');
  return {
    normConv2d: (
      ...[x, { parameters, running }, weight, options]: [
        Tensor,
        { parameters: { weight: Tensor; bias: Tensor }; running: object },
        Tensor,
        object,
      ]
    ) => ({ y: conv2d(elementaryNorm(x, parameters, { relu: true }), weight, options), running }),
  };
});

describe.each([18, 50] as const)("resnet%i with torchvision's weights, in float64", (depth) => {
  it('gives its loss and gradients, where no relu is rounded to its other side', async () => {
    const reference = torchReference(depth);
    const backbone = resnet({ depth });
    const { parameters, state } = fromTorch(torchWeights(reference));
    const step = compile(
      (parameters: Tensors, state: Tensors, images: Tensor, pattern: Tensor) =>
        gradients(parameters, (parameters) => {
          const { features } = backbone.apply({ parameters, state }, images, { training: true });
          return { loss: features.sub(pattern).square().mean() };
        }),
      { precision: 'float64', name: 'exactStep' },
    );
    const result = await step(parameters, state, torchImages(), torchPattern(backbone));
    step.dispose();
    expect(relativeError(result.loss.dataSync(), [reference.loss])).toBeLessThan(1e-6);
    expect(Object.keys(result.gradients).length).toBe(Object.keys(reference.gradients).length);
    expectAgreement(toTorch({ parameters: result.gradients, state: {} }), reference.gradients, 1e-6);
  }, 180_000);
});

import { it, vi } from 'vitest';
import type { NormBefore, Tensor } from '../../src/engine/index.js';
import { timmBackbones } from './timm-backbones.js';
import { expectExactGradients } from './timm-reference.js';

// TensorFlow has no float64 form of its batch norm, nor has pathlab's op: here it is made of elementary ops.
// test/engine/batch-norm.test.ts compares it with both.
vi.mock('../../src/engine/ops/batch-norm.js', async (original) => {
  const { elementaryNorm } = await import('../engine/elementary-norm.js');
  return {
    ...((await original()) as object),
    batchNormTraining: (
      ...[x, parameters, running, options]: [Tensor, NormBefore['parameters'], NormBefore['running'], object]
    ) => ({ y: elementaryNorm(x, parameters, options), running }),
  };
});

vi.mock('../../src/engine/ops/norm-conv2d.js', async () => {
  const { conv2d } = await import('../../src/engine/ops/conv2d.js');
  const { elementaryNorm } = await import('../engine/elementary-norm.js');
  return {
    normConv2d: (x: Tensor, { parameters, running, epsilon }: NormBefore, weight: Tensor, options: object) => ({
      y: conv2d(elementaryNorm(x, parameters, { relu: true, epsilon }), weight, options),
      running,
    }),
  };
});

// One of each arithmetic: float64 is slow.
const names = [
  'resnet18',
  'resnet50_dilated',
  'resnetv2_50x1_bit',
  'inception_v3',
  'tf_efficientnet_b3',
  'efficientnet_lite0',
];

it.each(names)(
  '%s gives the gradients of its reference, where no relu is rounded to its other side',
  async (name) => {
    await expectExactGradients(timmBackbones[name]!, name);
  },
  180_000,
);

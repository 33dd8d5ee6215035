import { describe, expect, it } from 'vitest';
import { compile, conv2d, depthwiseConv2d, type Tensor, tf } from '../../src/engine/index.js';
import { expectAlike, normal } from './close.js';
import { checkGradient } from './numeric-gradient.js';

/** By its definition: a convolution of each channel by itself. */
function channelByChannel(x: Tensor, weight: Tensor, options: { stride: number; padding: number }): Tensor {
  const channels = tf.split(x, x.shape[3]!, 3);
  const kernels = tf.split(weight, x.shape[3]!, 2);
  return tf.concat(
    channels.map((channel, place) => conv2d(channel, kernels[place]!, options)),
    3,
  );
}

describe.each([
  { kernel: 3, stride: 1, padding: 1, multiplier: 1 },
  { kernel: 3, stride: 2, padding: 1, multiplier: 2 },
  { kernel: 5, stride: 2, padding: 2, multiplier: 1 },
  { kernel: 3, stride: 1, padding: 0, multiplier: 1 },
])('depthwiseConv2d, kernel $kernel, stride $stride, padding $padding, multiplier $multiplier', (given) => {
  const { kernel, multiplier, ...options } = given;
  const [x, weight] = [normal([2, 9, 8, 3], 'x'), normal([kernel, kernel, 3, multiplier], 'weight')];

  it('is a convolution of each channel by itself', () => {
    expectAlike(depthwiseConv2d(x, weight, options), channelByChannel(x, weight, options), 1e-5);
  });

  it('has its gradients', async () => {
    await checkGradient(([x, weight]) => depthwiseConv2d(x!, weight!, options), [x.shape, weight.shape]);
  });
});

describe('depthwiseConv2d', () => {
  it('runs in bfloat16 in a compiled step', async () => {
    const [x, weight] = [normal([2, 9, 8, 3], 'x'), normal([3, 3, 3, 1], 'weight')];
    const step = compile((x: Tensor, weight: Tensor) => depthwiseConv2d(x, weight, { padding: 1 }), {
      precision: 'bfloat16',
      name: 'depthwise',
    });
    expectAlike(await step(x, weight), depthwiseConv2d(x, weight, { padding: 1 }), 0.05);
    step.dispose();
  });

  it('refuses a weight for other channels', () => {
    expect(() => depthwiseConv2d(tf.zeros([1, 4, 4, 3]), tf.zeros([3, 3, 2, 1]))).toThrow(
      /x is \[1,4,4,3\], so the weight is \[height, width, 3, multiplier\]; it is \[3,3,2,1\]/,
    );
  });
});

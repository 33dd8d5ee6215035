import { type Tensor, tf } from '../../src/engine/runtime.js';

/** Batch norm in training from elementary ops, which TensorFlow has in float64; shapes as in `batchNormTraining`. */
export function elementaryNorm(
  x: Tensor,
  { weight, bias }: { weight: Tensor; bias: Tensor },
  { shortcut, relu, epsilon = 1e-5 }: { shortcut?: Tensor; relu?: boolean; epsilon?: number } = {},
): Tensor {
  const mean = x.mean([0, 1, 2], true);
  const centered = x.sub(mean);
  const variance = centered.square().mean([0, 1, 2], true);
  const y = centered
    .mul(tf.rsqrt(variance.add(epsilon)))
    .mul(weight)
    .add(bias);
  const sum = shortcut ? y.add(shortcut) : y;
  return relu ? sum.relu() : sum;
}

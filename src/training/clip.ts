import { type Tensor, type Tensors, tf } from '../engine/index.js';
import { squaresOf } from './not-finite.js';

/**
 * Scales gradients down to a norm of at most `largest`: their global norm, as torch.nn.utils.clip_grad_norm_, or the norm
 * of each by itself, as DINO's authors do.
 *
 * @param largest a number, or a scalar
 * @param of which norm
 * @param squares sums of squares of the gradients, if known (see `squaresOf`)
 */
export function clipGradients(
  gradients: Tensors,
  largest: number | Tensor,
  of: 'all' | 'each' = 'all',
  squares = squaresOf(gradients),
): Tensors {
  if (typeof largest === 'number' && !(largest > 0))
    throw new RangeError(`clipGradients: the largest norm must be above 0; got ${largest}`);
  return tf.tidy(() => {
    const scaleOf = (norm: Tensor) => tf.minimum(tf.div(largest, norm.add(1e-6)), 1);
    const all = scaleOf(squares.sum().sqrt());
    const own = of === 'each' ? tf.unstack(scaleOf(squares.sqrt())) : undefined;
    const scaled = Object.entries(gradients).map(([name, gradient], at) => [name, gradient.mul(own?.[at] ?? all)]);
    return Object.fromEntries(scaled) as Tensors;
  });
}

import { mapTensors, type Tensor, type Tensors, tf } from '../engine/index.js';

/**
 * Scales gradients down to a norm of at most `largest`: their global norm, as torch.nn.utils.clip_grad_norm_, or the norm
 * of each by itself, as DINO's authors do.
 *
 * @param largest a number, or a scalar
 * @param of whose norm
 * @returns the gradients, and the global norm that they had, a scalar (worth a metric)
 */
export function clipGradients(
  gradients: Tensors,
  largest: number | Tensor,
  of: 'all' | 'each' = 'all',
): { gradients: Tensors; norm: Tensor } {
  if (typeof largest === 'number' && !(largest > 0))
    throw new RangeError(`clipGradients: the largest norm is above 0; got ${largest}`);
  return tf.tidy(() => {
    const squares = mapTensors(gradients, (gradient) => gradient.square().sum());
    const norm = tf.sqrt(tf.addN(Object.values(squares)));
    const scaleOf = (norm: Tensor) => tf.minimum(tf.div(largest, norm.add(1e-6)), 1);
    const scale = scaleOf(norm);
    return {
      norm,
      gradients: mapTensors(gradients, (gradient, name) =>
        gradient.mul(of === 'all' ? scale : scaleOf(tf.sqrt(squares[name]!))),
      ),
    };
  });
}

import { mapTensors, type Tensor, type Tensors, tf } from '../engine/index.js';

/**
 * Scales gradients down to a global norm of at most `largest`, as torch.nn.utils.clip_grad_norm_.
 *
 * @param largest a number, or a scalar
 * @returns the gradients, and the norm that they had, a scalar (worth a metric)
 */
export function clipByGlobalNorm(gradients: Tensors, largest: number | Tensor): { gradients: Tensors; norm: Tensor } {
  if (typeof largest === 'number' && !(largest > 0))
    throw new RangeError(`clipByGlobalNorm: the largest norm is above 0; got ${largest}`);
  return tf.tidy(() => {
    const norm = tf.sqrt(tf.addN(Object.values(gradients).map((gradient) => gradient.square().sum())));
    const scale = tf.minimum(tf.div(largest, norm.add(1e-6)), 1);
    return { norm, gradients: mapTensors(gradients, (gradient) => gradient.mul(scale)) };
  });
}

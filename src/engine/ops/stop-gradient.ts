import { type Tensor, tf, withGradient } from '../runtime.js';

/** The same values, through which no gradient flows. */
export function stopGradient(x: Tensor): Tensor {
  return withGradient([x], () => ({ value: x.clone(), gradient: () => [() => tf.zeros(x.shape)] }));
}

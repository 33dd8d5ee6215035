import { type Tensor, type Tensors, tf, zipTensors } from '../engine/index.js';

/**
 * Exponential moving average of weights (or of anything else that has a tree): decay average + (1 - decay) current. The
 * target networks of BYOL, MoCo and DINO are one, with a decay that may change from step to step.
 *
 * @param decay near 1; a scalar tensor where it follows a schedule
 */
export function movingAverage(average: Tensors, current: Tensors, decay: number | Tensor): Tensors {
  return tf.tidy(() => zipTensors(average, current, (mean, now) => mean.add(now.sub(mean).mul(tf.sub(1, decay)))));
}

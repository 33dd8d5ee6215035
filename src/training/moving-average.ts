import { type Tensor, type Tensors, tf, zipTensors } from '../engine/index.js';

/**
 * Exponential moving average of weights (or of anything else that has a tree): average + update (current - average). The
 * target networks of BYOL, MoCo and DINO are one.
 *
 * @param update 1 - decay, where papers give the decay near 1 (BYOL's tau, MoCo's m): float32 holds .000001 to seven digits,
 *   and .999999 to a thirtieth of its distance from 1. A scalar tensor where it follows a schedule
 */
export function movingAverage(average: Tensors, current: Tensors, update: number | Tensor): Tensors {
  return tf.tidy(() => zipTensors(average, current, (mean, now) => mean.add(now.sub(mean).mul(update))));
}

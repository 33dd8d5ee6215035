import { type Tensor, type Tensors, tf, zipTensors } from '../engine/index.js';

/**
 * Exponential moving average of weights (or of anything else that has a tree): decay average + (1 - decay) current. The
 * target networks of BYOL, MoCo and DINO are one.
 *
 * @param options.decay near 1: BYOL's tau, MoCo's m
 * @param options.oneMinusDecay in place of it where it follows a schedule, as a scalar tensor: float32 holds .000001 to seven
 *   digits, and .999999 to a thirtieth of its distance from 1
 */
export function movingAverage(
  average: Tensors,
  current: Tensors,
  options: { decay: number } | { oneMinusDecay: Tensor },
): Tensors {
  const update = 'decay' in options ? 1 - options.decay : options.oneMinusDecay;
  return tf.tidy(() => zipTensors(average, current, (mean, now) => mean.add(now.sub(mean).mul(update))));
}

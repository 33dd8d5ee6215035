import type { Key } from '../../base/index.js';
import { randomUniformOfRows } from '../random.js';
import type { Tensor } from '../runtime.js';

/**
 * Dropout for training (Srivastava et al., 2014): each value is 0 with probability `rate`, and the others grow by
 * 1 / (1 - rate), so that the mean stays. For inference leave it out.
 *
 * @param key decides which; fold it for each layer and step
 */
export function dropout(x: Tensor, rate: number, key: Key): Tensor {
  return drop(x, rate, key, x.shape, 'dropout');
}

/**
 * Stochastic depth for training (Huang et al., 2016, arXiv 1603.09382), timm's DropPath: whole samples of a residual
 * branch are 0 with probability `rate`, and the others grow by 1 / (1 - rate).
 *
 * @param x `[batch, ...]`, before it is added to the shortcut
 */
export function dropPath(x: Tensor, rate: number, key: Key): Tensor {
  return drop(x, rate, key, [x.shape[0]!, ...x.shape.slice(1).fill(1)], 'dropPath');
}

function drop(x: Tensor, rate: number, key: Key, shape: number[], name: string): Tensor {
  if (!(rate >= 0 && rate < 1)) throw new RangeError(`${name}: the rate is at least 0 and below 1; got ${rate}`);
  if (rate === 0) return x.clone();
  const kept = randomUniformOfRows(key, shape).greaterEqual(rate).toFloat();
  return x.mul(kept.div(1 - rate));
}

import type { Tensor } from '../../src/engine/index.js';
import { hashUniform } from '../fixtures/hash-uniform.js';

/** Of a reference's tensor: norm, product with a pattern, and the first values, if any. */
export type Digest = number[];

/**
 * The largest error of norm, product and values, each relative to what such a number usually is.
 *
 * @param floor a norm below which a tensor counts as so large: what is 0 but for rounding has no size of its own
 */
export function disagreement(tensor: Tensor, [norm, dot, ...first]: Digest, floor = 0): number {
  const values = tensor.dataSync();
  const pattern = hashUniform(20_000, values.length);
  const ownNorm = Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0));
  const ownDot = values.reduce((sum, value, place) => sum + value * pattern[place]!, 0);
  const size = Math.max(norm!, floor);
  const typical = size / Math.sqrt(values.length);
  return Math.max(
    Math.abs(ownNorm - norm!) / size,
    Math.abs(ownDot - dot!) / size,
    ...first.map((value, place) => Math.abs(values[place]! - value) / typical),
  );
}

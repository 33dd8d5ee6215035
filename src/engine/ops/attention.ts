import { hasCustomOps } from '../custom-ops.js';
import { attribute, executeOp, runOp, type Tensor, tf, withGradient } from '../runtime.js';

/**
 * Scaled dot-product attention (Vaswani et al., 2017; arXiv 1706.03762) of each sample's tokens to one another:
 * softmax(q k^T / sqrt(size)) v in every head.
 *
 * @param qkv `[batch, tokens, 3 * width]`: queries, keys and values, each with its heads side by side, as timm's
 *   `attn.qkv` gives them
 * @param options.heads divides the width
 * @returns `[batch, tokens, width]`
 */
export function attention(qkv: Tensor, { heads }: { heads: number }): Tensor {
  const { shape } = qkv;
  if (qkv.rank !== 3 || shape[2]! % (3 * heads) !== 0) {
    throw new RangeError(`attention with ${heads} heads takes [batch, tokens, 3 x heads x size]; got [${shape}]`);
  }
  if (!hasCustomOps()) return composedAttention(qkv, { heads });
  const [batch, tokens, columns] = shape as [number, number, number];
  const type = [attribute.type('T', 'float32')];
  const split = qkv.reshape([batch, tokens, 3, heads, columns / 3 / heads]);
  const mixed = withGradient([split], (save) => {
    const [y, logSums] = executeOp('PathlabAttention', type, [split], 2);
    save([split, y!, logSums!]);
    return {
      value: y!,
      gradient: (dy, saved) => [() => runOp('PathlabAttentionGrad', type, [dy, ...saved])],
    };
  });
  return mixed.reshape([batch, tokens, columns / 3]);
}

/** The same from TensorFlow's own ops. */
export function composedAttention(qkv: Tensor, { heads }: { heads: number }): Tensor {
  const [batch, tokens, columns] = qkv.shape as [number, number, number];
  const size = columns / 3 / heads;
  const split = qkv.reshape([batch, tokens, 3, heads, size]).transpose([2, 0, 3, 1, 4]);
  const [q, k, v] = tf.unstack(split) as [Tensor, Tensor, Tensor];
  const weights = tf.softmax(tf.matMul(q, k, false, true).mul(1 / Math.sqrt(size)));
  return tf
    .matMul(weights, v)
    .transpose([0, 2, 1, 3])
    .reshape([batch, tokens, heads * size]);
}

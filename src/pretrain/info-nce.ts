import { crossEntropy, type Tensor, tf } from '../engine/index.js';

/**
 * The InfoNCE loss with a queue of negatives (He et al., 2020, arXiv 1911.05722, equation 1), averaged over the queries: each
 * has to find its own key among that and the queue's.
 *
 * @param queries `[batch, size]`, of unit length
 * @param keys `[batch, size]`, of unit length, row i for the query of row i; no gradient should flow to them
 * @param queue `[keys, size]`, of unit length
 * @param temperature divides the similarities; tau in the paper
 * @returns `loss`, a scalar in nats (log(keys + 1) where all similarities are equal), and `accuracy`, how often a query's own
 *   key is the most similar
 */
export function infoNce(
  queries: Tensor,
  keys: Tensor,
  queue: Tensor,
  temperature: number,
): { loss: Tensor; accuracy: Tensor } {
  const own = queries.mul(keys).sum(1, true);
  const logits = tf.concat([own, tf.matMul(queries, queue, false, true)], 1).div(temperature) as Tensor;
  const first = tf.zeros([queries.shape[0]!], 'int32') as Tensor;
  return { loss: crossEntropy(logits, first), accuracy: logits.argMax(1).equal(first).toFloat().mean() };
}

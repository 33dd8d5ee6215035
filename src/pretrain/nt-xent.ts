import { l2Normalize, softmaxCrossEntropy, type Tensor, tf } from '../engine/index.js';

/**
 * The normalized temperature-scaled cross entropy loss, NT-Xent (Chen et al., 2020, arXiv 2002.05709, equation 1),
 * averaged over the 2N views: each view has to find the other view of its image among the 2N - 1 views that are not
 * itself, by cosine similarity.
 *
 * @param first projections of the N images' first views, `[N, size]`; they need not be normalized
 * @param second projections of their second views, row i of the same image as row i of `first`
 * @param temperature divides the similarities; tau in the paper
 * @returns `loss`, a scalar in nats (log(2N - 1) where all similarities are equal), and `accuracy`, how often the other view is the most similar
 * @throws RangeError if the shapes differ, there are fewer than two images or the temperature is not above 0
 */
export function ntXent(first: Tensor, second: Tensor, temperature: number): { loss: Tensor; accuracy: Tensor } {
  const images = first.shape[0]!;
  if (first.rank !== 2 || String(first.shape) !== String(second.shape)) {
    throw new RangeError(`ntXent takes two tensors [images, size]; got [${first.shape}] and [${second.shape}]`);
  }
  if (images < 2) throw new RangeError('ntXent needs at least two images, for negatives');
  if (!(temperature > 0)) throw new RangeError(`ntXent's temperature must be above 0; got ${temperature}`);

  const views = l2Normalize(tf.concat([first, second]));
  const similarities = tf.matMul(views, views, false, true).div(temperature);
  // No view may choose itself: it is 1e9 below the least that another can be, and exp(-1e9) is 0, as is its gradient.
  const logits = similarities.sub(tf.eye(2 * images).mul(1e9 + 2 / temperature));
  const otherView = tf.tensor1d(
    Array.from({ length: 2 * images }, (_, view) => (view + images) % (2 * images)),
    'int32',
  );
  const targets = tf.oneHot(otherView, 2 * images).toFloat();
  return {
    loss: softmaxCrossEntropy(logits, targets).mean(),
    accuracy: logits.argMax(1).equal(otherView).toFloat().mean(),
  };
}

import { gather, softmaxCrossEntropy, type Tensor, tf } from '../engine/index.js';

/**
 * Cross entropy with a weight for each class and smoothed labels, as PyTorch's CrossEntropyLoss with `weight` and
 * `label_smoothing` (Szegedy et al., 2016; arXiv 1512.00567): the mean over the batch, weighted by each patch's own class.
 *
 * @param logits `[batch, classes]`
 * @param labels int32 `[batch]`, 0 to classes - 1
 * @param weights `[classes]`; with all 1 it is the plain mean
 * @param labelSmoothing share of each target that is spread over all classes
 * @returns a scalar, in nats
 */
export function weightedCrossEntropy(logits: Tensor, labels: Tensor, weights: Tensor, labelSmoothing: number): Tensor {
  const classes = logits.shape[1]!;
  const smoothed = tf
    .oneHot(labels, classes)
    .toFloat()
    .mul(1 - labelSmoothing)
    .add(labelSmoothing / classes);
  const weighted = smoothed.mul(weights);
  const shares = weighted.sum(1, true);
  // The op takes distributions: what a row sums to is a factor of its loss.
  const losses = softmaxCrossEntropy(logits, weighted.div(shares)).mul(shares.squeeze([1]));
  return losses.sum().div(gather(weights, labels).sum());
}

import { crossEntropy, type Tensor } from '../engine/index.js';

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
  return crossEntropy(logits, labels, { classWeights: weights, labelSmoothing });
}

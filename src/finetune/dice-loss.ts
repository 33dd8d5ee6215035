import { type Tensor, tf } from '../engine/index.js';

/**
 * Soft Dice loss (Milletari et al., 2016; arXiv 1606.04797, with plain sums for their squares): 1 - the mean over classes of
 *
 *     2 sum(p g) / (sum(p) + sum(g))
 *
 * with p the softmax's probability of the class in a pixel, g 1 where the mask has the class and 0 elsewhere, and sums over
 * all pixels of the batch that count. The mean is of the classes that the batch's masks have: absent ones are left out, and
 * are paid for by the classes in whose pixels they are predicted. So every denominator is 1 at least and takes no epsilon.
 * Where no pixel counts the loss is 0.
 *
 * @param logits `[batch, height, width, classes]`
 * @param masks int32 `[batch, height, width]`
 * @param options.ignore value of pixels that do not count
 * @returns a scalar in 0..1
 */
export function diceLoss(logits: Tensor, masks: Tensor, { ignore }: { ignore?: number } = {}): Tensor {
  const classes = logits.shape.at(-1)!;
  // Line by line first: a float32 sum of a batch's pixels, one after the other, is wrong by a thousandth.
  const sumOf = (x: Tensor) => x.sum(2).sum(1).sum(0);
  let probabilities: Tensor = tf.softmax(logits);
  let targets = tf.oneHot(masks, classes).toFloat();
  if (ignore !== undefined) {
    const counts = masks.notEqual(tf.scalar(ignore, 'int32')).toFloat().expandDims(3);
    [probabilities, targets] = [probabilities.mul(counts), targets.mul(counts)];
  }
  const inMasks = sumOf(targets);
  const present = inMasks.greater(0).toFloat();
  // What stands for an absent class is left out, but must be a number for the gradient.
  const sizes = sumOf(probabilities).add(inMasks).add(tf.sub(1, present));
  const dice = sumOf(probabilities.mul(targets)).mul(2).div(sizes);
  const count = present.sum();
  return count.sub(dice.mul(present).sum()).div(count.maximum(1));
}

import { attribute, executeOp, type Tensor, withGradient } from '../runtime.js';

/**
 * Cross entropy of softmax(logits) against a distribution over the classes, stable for large logits.
 *
 * @param logits `[rows, classes]`
 * @param targets `[rows, classes]`, each row summing to 1; no gradient flows to it
 * @returns one loss a row, `[rows]`, in nats
 */
export function softmaxCrossEntropy(logits: Tensor, targets: Tensor): Tensor {
  if (logits.rank !== 2 || String(logits.shape) !== String(targets.shape)) {
    throw new RangeError(
      `softmaxCrossEntropy takes two tensors [rows, classes]; got [${logits.shape}] and [${targets.shape}]`,
    );
  }
  return withGradient([logits], (save) => {
    const [loss, slope] = executeOp(
      'SoftmaxCrossEntropyWithLogits',
      [attribute.typeOf('T', logits)],
      [logits, targets],
      2,
    );
    save([slope!]);
    return { value: loss!, gradient: (dy, [slope]) => [() => slope!.mul(dy.expandDims(1))] };
  });
}

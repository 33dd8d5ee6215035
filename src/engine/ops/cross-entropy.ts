import { attribute, executeOp, type Tensor, tf, withGradient } from '../runtime.js';
import { gather } from './gather.js';
import { softmaxCrossEntropy } from './softmax-cross-entropy.js';

export interface CrossEntropyOptions {
  /** Share of each target that is spread over all classes (Szegedy et al., 2016, arXiv 1512.00567). */
  labelSmoothing?: number;
  /** Label of what does not count, such as pixels that nobody annotated. */
  ignoreLabel?: number;
  /** A weight for each class, `[classes]`: the mean is then weighted, by the label's own class. */
  classWeights?: Tensor;
  /**
   * Where a batch is divided among replicas: the mean over them of the weight of their labels, a scalar. The losses here are
   * divided by that, so that their mean over replicas is the loss of the whole batch.
   */
  meanWeight?: (weight: Tensor) => Tensor;
}

/**
 * Mean cross entropy of softmax(logits) against labels, as PyTorch's CrossEntropyLoss: of the labels that count. Where
 * none counts, or all weigh 0, it is 0.
 *
 * @param logits `[..., classes]`
 * @param labels int32 `[...]`, 0 to classes - 1
 * @returns a scalar, in nats
 * @throws Error on the CPU for a label that is not a class; on GPUs the loss is then not a number
 */
export function crossEntropy(
  logits: Tensor,
  labels: Tensor,
  { labelSmoothing = 0, ignoreLabel, classWeights, meanWeight }: CrossEntropyOptions = {},
): Tensor {
  const classes = logits.shape.at(-1)!;
  if (labels.dtype !== 'int32' || String(logits.shape.slice(0, -1)) !== String(labels.shape)) {
    throw new RangeError(
      'crossEntropy takes logits [..., classes] and int32 labels [...]; ' +
        `got [${logits.shape}] and ${labels.dtype}[${labels.shape}]`,
    );
  }
  if (!(labelSmoothing >= 0 && labelSmoothing <= 1)) {
    throw new RangeError(`crossEntropy: label smoothing is between 0 and 1; got ${labelSmoothing}`);
  }
  const rows = logits.reshape([labels.size, classes]);
  const flat = labels.reshape([labels.size]);
  const counts = ignoreLabel === undefined ? undefined : flat.notEqual(tf.scalar(ignoreLabel, 'int32'));
  const targets = counts ? tf.where(counts, flat, tf.zerosLike(flat)) : flat;
  let losses = sparseCrossEntropy(rows, targets);
  const weightsOfLabels = classWeights && gather(classWeights, targets);
  if (weightsOfLabels) losses = losses.mul(weightsOfLabels);
  if (labelSmoothing > 0) {
    const shares = tf.div(classWeights ?? tf.ones([classes]), classes);
    // The op takes distributions: what the shares sum to is a factor of its loss.
    const sum = shares.sum();
    const spread = softmaxCrossEntropy(rows, tf.tile(shares.div(sum).expandDims(0), [labels.size, 1])).mul(sum);
    losses = losses.mul(1 - labelSmoothing).add(spread.mul(labelSmoothing));
  }
  if (!counts && !weightsOfLabels) return losses.mean();
  const counted = counts?.toFloat();
  const weights = counted && weightsOfLabels ? counted.mul(weightsOfLabels) : (counted ?? weightsOfLabels!);
  const total = meanWeight ? meanWeight(weights.sum()) : weights.sum();
  // Where nothing counts, 0 is divided by 1.
  const safe = total.add(total.equal(0).toFloat());
  return (counted ? losses.mul(counted) : losses).sum().div(safe);
}

function sparseCrossEntropy(logits: Tensor, labels: Tensor): Tensor {
  const attributes = [attribute.typeOf('T', logits), attribute.type('Tlabels', 'int32')];
  return withGradient([logits], (save) => {
    const [loss, slope] = executeOp('SparseSoftmaxCrossEntropyWithLogits', attributes, [logits, labels], 2);
    save([slope!]);
    return { value: loss!, gradient: (dy, [slope]) => [() => slope!.mul(dy.expandDims(1))] };
  });
}

import { applyMaskViews, applyViews, normalize, type ViewRecipe } from '../augment/index.js';
import { crossEntropy, subTensors, type Tensor, tf } from '../engine/index.js';
import type { BatchSource } from '../input/index.js';
import type { ModelTensors, Segmenter } from '../models/index.js';
import type { Objective } from '../training/index.js';
import { diceLoss } from './dice-loss.js';

export interface SegmentationOptions {
  network: Segmenter;
  /** Images and masks take the same crop and flips; the rest is the images' alone. */
  views: ViewRecipe;
  /** Mean cross entropy over pixels, soft Dice (see `diceLoss`), or their sum. */
  loss: 'cross-entropy' | 'dice' | 'both';
  /** A weight for each class in the cross entropy, whose mean is then weighted; see `inverseFrequencies`. */
  classWeights?: ArrayLike<number>;
  /** Number of a class whose pixels do not count, neither in the loss nor in the accuracy. */
  ignore?: number;
}

/**
 * Fine-tuning of a segmentation network: the class of each pixel from a view of a patch. A batch with no pixel that counts has
 * the loss 0. Its batches are what `source.load` and `drawViews([views], …)` give together; the metric `accuracy` is the share
 * of pixels that are right.
 *
 * @param source with masks, whose values are classes (`countMaskPixels` checks it)
 * @param backbone its weights, which are copied; without them they are drawn
 * @throws RangeError for weights or a class that do not fit the network's classes
 */
export function segmentation(
  { network, views, loss, classWeights, ignore }: SegmentationOptions,
  source: Pick<BatchSource, 'decode'>,
  backbone?: ModelTensors,
): Objective {
  checkOptions({ network, classWeights, ignore });
  return {
    needsWholeBatch: reasonForWholeBatch({ loss, classWeights, ignore }),
    initialize: (key) => network.initialize(key, backbone),
    loss(model, loaded, { random }) {
      const { images, masks } = source.decode(loaded);
      if (!masks) throw new RangeError('segmentation learns from masks: make the BatchSource with masks: true');
      const drawn = subTensors(loaded, 'view0.');
      const view = normalize(applyViews(images, drawn, views), network.backbone.colors);
      const classes = applyMaskViews(masks, drawn, views.size);
      const { outputs: logits, state } = network.apply(model, view, { training: true, key: random });
      const losses: Tensor[] = [];
      if (loss !== 'dice') {
        const weights = classWeights && tf.tensor1d(Float32Array.from(classWeights));
        losses.push(crossEntropy(logits, classes, { ignoreLabel: ignore, classWeights: weights }));
      }
      if (loss !== 'cross-entropy') losses.push(diceLoss(logits, classes, { ignore }));
      return { loss: tf.addN(losses), state, metrics: { accuracy: pixelAccuracy(logits, classes, ignore) } };
    },
  };
}

function pixelAccuracy(logits: Tensor, masks: Tensor, ignore: number | undefined): Tensor {
  const right = logits.argMax(-1).toInt().equal(masks).toFloat();
  if (ignore === undefined) return right.mean();
  const counts = masks.notEqual(tf.scalar(ignore, 'int32')).toFloat();
  return right.mul(counts).sum().div(counts.sum().maximum(1));
}

function reasonForWholeBatch({ loss, classWeights, ignore }: Omit<SegmentationOptions, 'network' | 'views'>) {
  if (loss !== 'cross-entropy') return 'Dice is of all pixels of a batch together';
  if (classWeights) return "weights of classes make the loss a mean over the whole batch's weights";
  return ignore === undefined ? undefined : 'with pixels that do not count the loss is a mean over those that do';
}

function checkOptions({
  network: { classes },
  classWeights,
  ignore,
}: Pick<SegmentationOptions, 'network' | 'classWeights' | 'ignore'>): void {
  if (ignore !== undefined && !(Number.isInteger(ignore) && ignore >= 0 && ignore < classes)) {
    throw new RangeError(`ignore is the number of a class, 0 to ${classes - 1}; got ${ignore}`);
  }
  if (!classWeights) return;
  const weights = Array.from(classWeights);
  if (weights.length !== classes || !weights.every((weight) => weight >= 0 && Number.isFinite(weight))) {
    throw new RangeError(`classWeights are ${classes} numbers of 0 and more, one for each class; got ${weights}`);
  }
}

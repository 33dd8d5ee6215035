import type { ViewRecipe } from '../augment/index.js';
import { crossEntropy, getTensor, type Tensor, tf } from '../engine/index.js';
import { inverseFrequencies } from '../input/index.js';
import { type Backbone, type SegmentationHeadName, segmenter, subModel } from '../models/index.js';
import type { Method, MethodStart } from '../pretrain/index.js';
import { diceLoss } from './dice-loss.js';

export interface SegmentationOptions {
  backbone: Backbone;
  /** See `segmenter`. */
  head: SegmentationHeadName;
  /** Rate of the head's dropout; by default what its own source has. */
  dropout?: number;
  /** Images and masks take the same crop and flips; the rest is the images' alone. */
  views: ViewRecipe;
  /** Mean cross entropy over pixels, soft Dice (see `diceLoss`), or their sum. */
  loss: 'cross-entropy' | 'dice' | 'both';
  /** Whether rare classes weigh more in the cross entropy, in inverse proportion to their pixels; see `inverseFrequencies`. */
  weighted: boolean;
  /** Mask value whose pixels do not count, neither in the loss nor in the accuracy: a byte that is no class, such as 255. */
  ignore?: number;
}

/**
 * Segmentation: a head on the backbone's maps names the class of each pixel, of one view. A batch with no pixel that counts
 * has the loss 0, and a class that no training mask has weighs 0. The metric `accuracy` is the share of pixels that are right.
 *
 * @throws RangeError for a head that does not fit the backbone
 */
export function segmentation(options: SegmentationOptions): Method {
  const { backbone, head, dropout, views, loss, weighted, ignore } = options;
  const networkOf = (classes: number) => segmenter({ backbone, head, dropout, classes });
  // A pass finds the number of classes in the weights.
  const { apply } = networkOf(2);
  return {
    name: 'Segmentation',
    settings: { head, dropout: dropout ?? null, loss, weighted, ignore: ignore ?? null },
    backbone,
    views: [views],
    supervised: true,
    masks: { ignore },
    needsWholeBatch: reasonForWholeBatch(options),
    initialize(key, start) {
      const classes = start.classNames.length;
      checkIgnored(ignore, classes);
      const { parameters, state } = networkOf(classes).initialize(key, start.backbone);
      return { parameters, state: weighted ? { ...state, [weightName]: weightsOf(start) } : state };
    },
    loss(model, { views: [images], masks }, { random }) {
      const { outputs: logits, state } = apply(model, images!, { training: true, key: random });
      const classes = masks![0]!;
      const losses: Tensor[] = [];
      if (loss !== 'dice') {
        const classWeights = weighted ? getTensor(model.state, weightName) : undefined;
        losses.push(crossEntropy(logits, classes, { ignoreLabel: ignore, classWeights }));
      }
      if (loss !== 'cross-entropy') losses.push(diceLoss(logits, classes, { ignore }));
      return {
        loss: tf.addN(losses),
        state: { ...model.state, ...state },
        metrics: { accuracy: pixelAccuracy(logits, classes, ignore) },
      };
    },
    predict: (model, images) => apply(model, images, { training: false }).outputs,
    chanceLoss: loss === 'cross-entropy' ? ({ dataset }) => Math.log(dataset.classNames.length) : undefined,
    encoder: (model) => subModel(model, 'backbone'),
  };
}

/** A weight for each class, `[classes]`. */
const weightName = 'loss.weight';

function weightsOf({ pixels }: MethodStart): Tensor {
  if (!pixels) throw new TypeError('weights of classes are taken from the counts of their pixels, and there are none');
  if (pixels.every((count) => count === 0)) throw new RangeError('no pixel of the masks has a class: all are ignored');
  return tf.tensor1d(inverseFrequencies(pixels));
}

function pixelAccuracy(logits: Tensor, masks: Tensor, ignore: number | undefined): Tensor {
  const right = logits.argMax(-1).toInt().equal(masks).toFloat();
  if (ignore === undefined) return right.mean();
  const counts = masks.notEqual(tf.scalar(ignore, 'int32')).toFloat();
  return right.mul(counts).sum().div(counts.sum().maximum(1));
}

function reasonForWholeBatch({ loss, weighted, ignore }: SegmentationOptions): string | undefined {
  if (loss !== 'cross-entropy') return 'Dice is of all pixels of a batch together';
  if (weighted) return "weights of classes make the loss a mean over the whole batch's weights";
  return ignore === undefined ? undefined : 'with pixels that do not count the loss is a mean over those that do';
}

function checkIgnored(ignore: number | undefined, classes: number): void {
  if (ignore === undefined || (Number.isInteger(ignore) && ignore >= classes && ignore < 256)) return;
  throw new RangeError(`the ignored value is a byte that is no class, ${classes} to 255; got ${ignore}`);
}

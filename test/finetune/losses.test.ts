import { describe, expect, it } from 'vitest';
import { crossEntropy, type Tensor, tf } from '../../src/engine/index.js';
import { diceLoss } from '../../src/finetune/index.js';
import { checkGradient } from '../engine/numeric-gradient.js';
import { torchSegmentation, uniform } from '../models/torch-segmentation.js';

const scalarOf = (tensor: Tensor) => tensor.dataSync()[0]!;
const masksOf = (masks: number[][][]) => tf.tensor3d(masks, undefined, 'int32');

describe.each(torchSegmentation.losses)(
  'losses of pixels: $name',
  ({ name, masks: values, weights, ignore, ...found }) => {
    const masks = masksOf(values);
    const logits = uniform(`logits of ${name}`, [2, 3, 4, 3]).mul(2) as Tensor;
    const compute: Record<'cross-entropy' | 'dice', (logits: Tensor) => Tensor> = {
      'cross-entropy': (logits) =>
        crossEntropy(logits, masks, {
          ignoreLabel: ignore ?? undefined,
          classWeights: weights ? tf.tensor1d(weights) : undefined,
        }),
      dice: (logits) => diceLoss(logits, masks, { ignore: ignore ?? undefined }),
    };

    it.each(['cross-entropy', 'dice'] as const)("%s equals PyTorch's, with its gradient", async (loss) => {
      const { value, grad } = tf.valueAndGrad((logits) => compute[loss](logits).asScalar())(logits);
      expect(Math.abs(scalarOf(value) - found[loss].loss)).toBeLessThan(2e-6);
      const largest = Math.max(...found[loss].gradient.map(Math.abs));
      for (const [place, slope] of grad.dataSync().entries()) {
        expect(Math.abs(slope - found[loss].gradient[place]!)).toBeLessThan(1e-5 * largest);
      }
      await checkGradient(([logits]) => compute[loss](logits!), [logits.shape]);
    });
  },
);

describe('diceLoss', () => {
  /** Logits that are sure of one class in each px. */
  const sureOf = (masks: Tensor, classes: number) => tf.oneHot(masks, classes).toFloat().mul(100) as Tensor;

  it('is 0 where every px is right, and 1 where none is', () => {
    const masks = masksOf([[[0, 1, 2, 2]]]);
    expect(scalarOf(diceLoss(sureOf(masks, 3), masks))).toBeCloseTo(0, 6);
    expect(scalarOf(diceLoss(sureOf(masksOf([[[1, 2, 0, 0]]]), 3), masks))).toBeCloseTo(1, 6);
  });

  it('leaves absent classes out: predicting one costs those in whose px it is', () => {
    const masks = masksOf([[[0, 0, 0, 1]]]);
    // Of class 0, 2 of 3 px: 2 * 2 / (2 + 3); of class 1 all.
    const predicted = sureOf(masksOf([[[0, 0, 3, 1]]]), 4);
    expect(scalarOf(diceLoss(predicted, masks))).toBeCloseTo(1 - (4 / 5 + 1) / 2, 6);
    expect(scalarOf(diceLoss(sureOf(masksOf([[[0, 0, 0, 0]]]), 9), masksOf([[[0, 0, 0, 0]]])))).toBeCloseTo(0, 6);
  });

  it('counts the px of a whole batch together', () => {
    const masks = masksOf([[[0, 0, 0, 1]], [[1, 1, 1, 1]]]);
    const logits = uniform('batch', [2, 1, 4, 2]);
    const asOneImage = diceLoss(logits.reshape([1, 2, 4, 2]), masks.reshape([1, 2, 4]));
    expect(scalarOf(diceLoss(logits, masks))).toBeCloseTo(scalarOf(asOneImage), 6);
  });

  it('is exact for batches of millions of px', () => {
    const masks = tf.ones([2, 1024, 1024], 'int32') as Tensor;
    const logits = tf.tile(tf.tensor4d([0, Math.log(3)], [1, 1, 1, 2]), [2, 1024, 1024, 1]);
    // p = .75 in each px: 2 * .75 / (.75 + 1).
    expect(scalarOf(diceLoss(logits, masks))).toBeCloseTo(1 - 1.5 / 1.75, 6);
  });
});

describe('where no px counts', () => {
  it.each(['cross-entropy', 'dice'] as const)('%s is 0 and its gradients are finite', (loss) => {
    const masks = tf.fill([2, 3, 4], 255).toInt();
    const logits = uniform('nothing counts', [2, 3, 4, 3]).mul(50) as Tensor;
    const compute = (logits: Tensor) =>
      (loss === 'dice'
        ? diceLoss(logits, masks, { ignore: 255 })
        : crossEntropy(logits, masks, { ignoreLabel: 255 })
      ).asScalar();
    const { value, grad } = tf.valueAndGrad(compute)(logits);
    expect(scalarOf(value)).toBe(0);
    expect(grad.dataSync().every((slope) => slope === 0)).toBe(true);
  });
});

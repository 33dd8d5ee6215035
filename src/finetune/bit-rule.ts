import type { PretrainSettings } from '../pretrain/index.js';

/** From so many training images on the rule mixes pairs of them. */
const manyImages = 20_000;

/**
 * BiT-HyperRule for small sets (Kolesnikov et al., 2020; arXiv 1912.11370, section 3.3): SGD at .003 for a batch of 512, 500
 * steps with a tenth of the rate at each of three milestones, no weight decay. Dropout, which it does not use either, is the
 * method's.
 *
 * @param batchSize the rate is in proportion to it
 */
export function bitHyperRule(batchSize: number): Omit<PretrainSettings, 'seed' | 'precision' | 'evaluationCrop'> {
  return {
    steps: 500,
    optimizer: 'sgd',
    learningRate: (0.003 * batchSize) / 512,
    momentum: 0.9,
    warmup: 100 / 500,
    milestones: [200 / 500, 300 / 500, 400 / 500],
    weightDecay: 0,
  };
}

/** @throws RangeError for so many training images that the rule mixes pairs of them (mixup), which is not built */
export function checkBitImages(images: number): void {
  if (images < manyImages) return;
  throw new RangeError(
    `BiT's rule is built for fewer than 20,000 training images, from which on it mixes pairs of them; there are ${images}: use ` +
      'the labels of fewer (labels), or another protocol',
  );
}

import type { PretrainSettings } from '../pretrain/index.js';

/**
 * BiT-HyperRule (Kolesnikov et al., 2020; arXiv 1912.11370, section 3.3): how long to fine-tune, by the number of training
 * images, with SGD at .003 for a batch of 512, a tenth at each of three milestones.
 *
 * @param batchSize the rate is in proportion to it
 * @throws RangeError from 20,000 images on, for which the rule mixes pairs of images (mixup), which is not built
 */
export function bitHyperRule(
  images: number,
  batchSize: number,
): Omit<PretrainSettings, 'seed' | 'precision' | 'evaluationCrop'> {
  if (!(images >= 1 && images < 20_000)) {
    throw new RangeError(
      `BiT's rule is built for fewer than 20,000 training images, from which on it mixes pairs of them; there are ${images}`,
    );
  }
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

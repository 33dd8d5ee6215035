// SimCLR in whole steps of a streaming epoch; see compare-pretraining.mjs. In bfloat16 where the CPU has instructions for it.
import { selfSupervisedViews } from '../dist/augment/index.js';
import { comparePretraining } from './compare-pretraining.mjs';
import { measuredPrecisions } from './precisions.mjs';

/** The paper's views; at 96 px the blur's kernel is in proportion. */
const viewsOf = (size, kernelSize) => {
  const view = selfSupervisedViews(size);
  return Array(2).fill({ ...view, blur: { ...view.blur, kernelSize } });
};
const configuration = (depth, size, kernelSize, hiddenSize, batch) => ({
  name: `ResNet-${depth}, ${size} px`,
  ...{ method: 'simclr', depth, batch, views: viewsOf(size, kernelSize) },
  options: { hiddenSize, outputSize: 128, temperature: 0.5 },
  settings: { optimizer: 'sgd', learningRate: 0.01, momentum: 0.9, weightDecay: 0 },
});

await comparePretraining({
  name: 'pretrain-epoch',
  work: 'SimCLR from 512 px JPEGs in shards to updated weights, batches of 64 and 16',
  configurations: [configuration(18, 96, 9, 512, 64), configuration(50, 224, 23, 2048, 16)],
  precisions: measuredPrecisions().slice(-1),
});

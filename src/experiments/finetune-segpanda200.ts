import { segmentationViews } from '../augment/index.js';
import type { SegmentedCases } from '../evaluate/index.js';
import { segmentation, unlabelled } from '../finetune/index.js';
import { type Backbone, fittingSize, resnet, type SegmentationHeadName } from '../models/index.js';
import { protocolOf } from './finetune-protocol.js';
import type { Asked, FineTunePage, FineTuneRecipe } from './finetune-recipe.js';
import { segmentationTask } from './finetune-segmentation.js';
import { smallResNet } from './network.js';

/*
 * The segmentation of "Large-scale pretraining on pathological images for fine-tuning of small pathological benchmarks"
 * (arXiv 2303.15693) and its reference code, which has no weights of classes and no auxiliary head. Neither gives the size of
 * the crop: it is that of the backbone's images, not resized. What differs at demo scale fits a minute on two cores.
 */

/** The paper's head; a transformer, which has a single map, gets a pyramid made of it. */
const headOf = ({ maps }: Backbone): SegmentationHeadName => (maps?.length === 1 ? 'pyramid' : 'fcn');

const paper = (asked: Asked = {}): FineTuneRecipe => {
  const { backbone = resnet({ depth: 50 }), head = headOf(backbone), size = backbone.inputSize } = asked;
  const { settings, imageSize, ...others } = protocolOf(asked.protocol ?? 'paper');
  return {
    method: segmentation({
      ...{ backbone, head, loss: 'cross-entropy', weighted: false, ignore: unlabelled },
      views: segmentationViews(size),
    }),
    ...others,
    imageSize: Math.max(imageSize, size),
    settings: { ...settings, evaluationCrop: 1 },
  };
};

/** All fine-tunings of the page together take less than a minute on two cores. */
const demo = ({
  backbone = smallResNet(),
  // A map of the stride 32 would have four places in a patch of 64 px.
  head = 'pyramid',
  size = 64,
  protocol,
}: Asked = {}): FineTuneRecipe => {
  const views = segmentationViews(fittingSize(backbone, size));
  const inFull = paper({ backbone, protocol });
  return {
    ...inFull,
    method: segmentation({
      ...{ backbone, head, views, weighted: true, ignore: unlabelled },
      // Of a few hundred pixels a step, rare classes would have no part in the mean.
      loss: 'both',
    }),
    settings: {
      ...inFull.settings,
      steps: 50,
      // The paper's would be too small for so few steps.
      learningRate: 3e-3,
      warmup: 0.1,
      precision: 'float32',
    },
    warmupEpochs: undefined,
    batchSize: 8,
    imageSize: Math.max(128, views.size),
    folds: 2,
    monitorEvery: 50,
    checkpointEvery: 50,
  };
};

/** Every step of the page, in seconds. */
const smoke = (asked?: Asked): FineTuneRecipe => ({
  ...demo(asked),
  settings: { ...demo(asked).settings, steps: 4 },
  batchSize: 4,
});

/** Of notebook 30. */
export const fineTuneSegPanda200: FineTunePage<SegmentedCases> = {
  task: segmentationTask,
  dataset: 'segpanda200',
  cohorts: {
    smoke: { kind: 'segpanda200', patients: 7, columns: 2, rows: 1 },
    demo: { kind: 'segpanda200', patients: 18, columns: 2, rows: 1 },
  },
  recipes: { smoke, demo, paper },
};

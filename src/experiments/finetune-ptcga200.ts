import { supervisedViews } from '../augment/index.js';
import type { ClassifiedCases } from '../evaluate/index.js';
import { fittingSize, resnet } from '../models/index.js';
import { supervised } from '../pretrain/index.js';
import { classification } from './finetune-classification.js';
import { type Asked, type FineTunePage, type FineTuneRecipe, paperProtocol } from './finetune-recipe.js';
import { smallResNet } from './network.js';
import { smallCohorts, smallViews } from './small-scale.js';

/*
 * The fine-tuning of "Large-scale pretraining on pathological images for fine-tuning of small pathological benchmarks"
 * (arXiv 2303.15693) and its reference code: where they differ, as the paper says. What differs at demo scale fits a minute
 * on two cores.
 */

export const paper = ({ backbone = resnet({ depth: 50 }), size = backbone.inputSize }: Asked = {}): FineTuneRecipe => ({
  method: supervised({
    backbone,
    views: supervisedViews(size),
    ...{ dropout: 0.4, labelSmoothing: 0, weighted: false },
  }),
  ...paperProtocol,
  imageSize: Math.max(paperProtocol.imageSize, size),
  settings: { ...paperProtocol.settings, evaluationCrop: 287 / 512 },
});

/** All fine-tunings of the page together take less than a minute on two cores. */
export const demo = ({ backbone = smallResNet(), size = 64 }: Asked = {}): FineTuneRecipe => ({
  ...paper({ backbone }),
  method: supervised({
    backbone,
    views: { ...smallViews, size: fittingSize(backbone, size), grayscale: undefined },
    ...{ dropout: 0.4, labelSmoothing: 0, weighted: false },
  }),
  settings: {
    ...paper().settings,
    steps: 40,
    // The paper's would be too small for so few steps.
    learningRate: 2e-3,
    warmup: 0.1,
    precision: 'float32',
    evaluationCrop: 1,
  },
  warmupEpochs: undefined,
  batchSize: 32,
  imageSize: Math.max(64, size),
  balanced: true,
  testTime: 'flips',
  folds: 2,
  monitorEvery: 40,
  checkpointEvery: 40,
});

/** Every step of the page, in seconds. */
export const smoke = (asked?: Asked): FineTuneRecipe => ({
  ...demo(asked),
  settings: { ...demo(asked).settings, steps: 4 },
  batchSize: 8,
});

/** Of notebook 20. */
export const fineTunePtcga200: FineTunePage<ClassifiedCases> = {
  task: classification('accuracy', ['balancedAccuracy', 'macroF1', 'auroc', 'calibrationError']),
  dataset: 'ptcga200',
  cohorts: smallCohorts,
  recipes: { smoke, demo, paper },
};

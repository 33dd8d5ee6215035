import { supervisedViews } from '../augment/index.js';
import type { ClassifiedCases } from '../evaluate/index.js';
import { fittingSize, resnet } from '../models/index.js';
import { supervised } from '../pretrain/index.js';
import { classification } from './finetune-classification.js';
import { protocolOf } from './finetune-protocol.js';
import type { Asked, FineTunePage, FineTuneRecipe } from './finetune-recipe.js';
import { smallResNet } from './network.js';
import { smallCohorts, smallViews } from './small-scale.js';

/*
 * The fine-tuning of "Large-scale pretraining on pathological images for fine-tuning of small pathological benchmarks"
 * (arXiv 2303.15693) and its reference code: where they differ, as the paper says. What differs at demo scale fits a minute
 * on two cores.
 */

/** The paper's classifier and loss, but for what is asked; BiT's rule has no dropout. */
const classifier = ({ protocol, loss }: Asked) => ({
  dropout: protocol === 'bit' ? 0 : 0.4,
  labelSmoothing: loss === 'smoothed' ? 0.1 : 0,
  weighted: loss === 'weighted',
});

export const paper = (asked: Asked = {}): FineTuneRecipe => {
  const { backbone = resnet({ depth: 50 }), size = backbone.inputSize, protocol = 'paper' } = asked;
  const { settings, imageSize, ...others } = protocolOf(protocol);
  return {
    method: supervised({ backbone, views: supervisedViews(size), ...classifier(asked) }),
    ...others,
    imageSize: Math.max(imageSize, size),
    settings: { ...settings, evaluationCrop: 287 / 512 },
  };
};

/** The paper's and BiT's rates would be too small for so few steps; BiT's warm-up is a share of them already. */
const ratesOfFewSteps = ({ protocol }: Asked) =>
  protocol === 'bit' ? { learningRate: 0.05 } : { learningRate: 2e-3, warmup: 0.1 };

/** All fine-tunings of the page together take less than a minute on two cores. */
export const demo = (asked: Asked = {}): FineTuneRecipe => {
  const { backbone = smallResNet(), size = 64, protocol, loss } = asked;
  const views = { ...smallViews, size: fittingSize(backbone, size), grayscale: undefined };
  const inFull = paper({ backbone, protocol });
  return {
    ...inFull,
    method: supervised({ backbone, views, ...classifier(asked) }),
    settings: {
      ...inFull.settings,
      ...ratesOfFewSteps(asked),
      steps: 40,
      precision: 'float32',
      evaluationCrop: 1,
    },
    warmupEpochs: undefined,
    batchSize: 32,
    imageSize: Math.max(64, size),
    // Weights of classes do the same.
    balanced: loss !== 'weighted',
    testTime: 'flips',
    folds: 2,
    monitorEvery: 40,
    checkpointEvery: 40,
  };
};

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

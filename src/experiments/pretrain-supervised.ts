import { supervisedViews } from '../augment/index.js';
import { type Backbone, fittingSize, resnet } from '../models/index.js';
import { type AnyMethod, type SupervisedOptions, supervised } from '../pretrain/index.js';
import { smallResNet } from './network.js';
import type { PretrainRecipe, PretrainRecipes } from './pretrain-recipe.js';
import { smallViews, smokeScaled } from './small-scale.js';

/*
 * The settings of "Large-scale pretraining on pathological images for fine-tuning of small pathological benchmarks"
 * (arXiv 2303.15693) and its reference code, which smooths no labels and weighs no classes. What differs at demo scale was
 * chosen by trials on other synthetic cohorts than the notebooks'.
 */

const paper = (backbone: Backbone = resnet({ depth: 50 }), size = backbone.inputSize, epochs = 40): PretrainRecipe => ({
  method: supervised({
    backbone,
    views: supervisedViews(size),
    ...{ dropout: 0.4, labelSmoothing: 0, weighted: false },
  }),
  settings: {
    epochs,
    optimizer: 'adamw',
    learningRate: 1e-4,
    // One epoch, or half of a single one.
    warmup: Math.min(1 / epochs, 0.5),
    weightDecay: 5e-5,
    // As the paper says; its reference code lets them decay.
    decayTokens: false,
    clipNorm: 1,
    // Of weights that came with `init`, as the paper retrains.
    resetBatchNorm: true,
    precision: 'bfloat16',
    evaluationCrop: 287 / 512,
  },
  batchSize: 512,
  imageSize: Math.max(512, size),
});

/** Trains in about a minute on two cores. */
const demo = (backbone: Backbone = smallResNet(), size = 64): PretrainRecipe => ({
  method: supervised({
    backbone,
    // Without gray views, as the paper's, and with the smaller steps of the other notebooks.
    views: { ...smallViews, size: fittingSize(backbone, size), grayscale: undefined },
    // A few hundred patches are soon memorized: labels are smoothed.
    ...{ dropout: 0.4, labelSmoothing: 0.1, weighted: false },
  }),
  settings: {
    ...paper().settings,
    ...{ epochs: undefined, steps: 900 },
    // The paper's, for a batch of 512, would be too small for a small network in a minute.
    learningRate: 2e-3,
    warmup: 0.1,
    weightDecay: 0.01,
    precision: 'float32',
    evaluationCrop: 1,
  },
  batchSize: 32,
  imageSize: Math.max(64, size),
  // Classes of your own data may be rare.
  balanced: true,
});

const smoke = (backbone?: Backbone, size?: number) => smokeScaled(demo(backbone, size));

/** Of notebook 10. */
export const supervisedRecipes: PretrainRecipes = { smoke, demo, paper };

/** What a page's parameters say of the loss over classes; what is left out is the scale's. */
export type ClassLoss = Partial<Pick<SupervisedOptions, 'labelSmoothing' | 'weighted'>>;

/**
 * A method with another loss over classes.
 *
 * @throws RangeError for a method that is not `supervised`, if something is asked for
 */
export function withClassLoss(method: AnyMethod, { labelSmoothing, weighted }: ClassLoss): AnyMethod {
  if (labelSmoothing === undefined && weighted === undefined) return method;
  if (!method.supervised) {
    throw new RangeError(
      `labelSmoothing and weighted are for supervised pretraining; ${method.name} learns no classes`,
    );
  }
  const { backbone, views, settings } = method;
  const own = settings as Pick<SupervisedOptions, 'dropout' | 'labelSmoothing' | 'weighted'>;
  return supervised({
    ...{ backbone, views: views[0]!, dropout: own.dropout },
    labelSmoothing: labelSmoothing ?? own.labelSmoothing,
    weighted: weighted ?? own.weighted,
  });
}

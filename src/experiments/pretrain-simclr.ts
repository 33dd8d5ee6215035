import { selfSupervisedViews } from '../augment/index.js';
import { type Backbone, fittingSize, resnet } from '../models/index.js';
import { simclr } from '../pretrain/index.js';
import { smallResNet } from './network.js';
import type { PretrainRecipe, PretrainRecipes } from './pretrain-recipe.js';
import { smallViews, smokeScaled } from './small-scale.js';

/*
 * The settings of "Large-scale pretraining on pathological images for fine-tuning of small pathological benchmarks"
 * (arXiv 2303.15693), and how the small scales depart from them. What that paper does not publish is taken from the
 * 100-epoch SimCLR settings of the implementation it used; its batch of 512 images makes 1,024 views. What differs at demo
 * scale was chosen by trials on other synthetic cohorts than the notebooks'; `npm run campaign -- learns` measures other
 * seeds.
 */

const paper = (backbone: Backbone = resnet({ depth: 50 }), size = backbone.inputSize): PretrainRecipe => ({
  method: simclr({
    backbone,
    views: selfSupervisedViews(size),
    hiddenSize: 2048,
    outputSize: 128,
    temperature: 0.1,
  }),
  settings: {
    epochs: 40,
    optimizer: 'lars',
    learningRate: 0.6,
    warmup: 0.1,
    momentum: 0.9,
    weightDecay: 1e-6,
    precision: 'bfloat16',
    // The paper evaluates on the middle 287 px, resized to 224.
    evaluationCrop: 287 / 512,
  },
  batchSize: 512,
  imageSize: Math.max(512, size),
});

/** Trains in about a minute on two cores. */
const demo = (backbone: Backbone = smallResNet(), size = 64): PretrainRecipe => ({
  method: simclr({
    backbone,
    views: { ...smallViews, size: fittingSize(backbone, size) },
    hiddenSize: 512,
    outputSize: 128,
    // With 62 negatives instead of the paper's 1,022, its .1 learned less in trials.
    temperature: 0.2,
  }),
  settings: {
    ...paper().settings,
    // A minute or two whatever the data: 50 epochs of the synthetic cohort.
    ...{ epochs: undefined, steps: 600 },
    // LARS is made for batches of hundreds and trainings of thousands of steps.
    optimizer: 'sgd',
    learningRate: 0.08,
    // Twice the paper's share: the loss jumped in the first steps of trials with less.
    warmup: 0.2,
    precision: 'float32',
    evaluationCrop: 1,
  },
  // For many steps in a minute.
  batchSize: 32,
  imageSize: Math.max(64, size),
});

const smoke = (backbone?: Backbone, size?: number) => smokeScaled(demo(backbone, size), { learningRate: 0.01 });

/** Of notebook 11. */
export const simclrRecipes: PretrainRecipes = { smoke, demo, paper };

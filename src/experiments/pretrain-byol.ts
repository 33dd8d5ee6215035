import { byolViews } from '../augment/index.js';
import { type Backbone, fittingSize, resnet } from '../models/index.js';
import { byol } from '../pretrain/index.js';
import { smallResNet } from './network.js';
import type { PretrainRecipe, PretrainRecipes } from './pretrain-recipe.js';
import { smallCrop, smallScaled, smokeScaled } from './small-scale.js';

/*
 * The settings of "Large-scale pretraining on pathological images for fine-tuning of small pathological benchmarks"
 * (arXiv 2303.15693), and how the small scales depart from them. What that paper does not publish is taken from BYOL's
 * authors: their preset for 40 epochs, at 64 images on each of eight GPUs, and for other lengths the preset that is nearest from
 * below. The paper's reference code leaves that preset unused: it has a momentum of .99 and a rate of .45 at 512 images. What
 * differs at demo scale was chosen by trials on another synthetic cohort than the notebooks', where features after a minute
 * and a half were better than random initialization and worse than color. On the notebooks' they are no better than random initialization.
 */

/** The authors' presets, from so many epochs on; rates at 256 images. */
const presets = [
  { from: 0, momentum: 0.97, learningRate: 0.45, weightDecay: 1e-6 },
  { from: 100, momentum: 0.99, learningRate: 0.45, weightDecay: 1e-6 },
  { from: 300, momentum: 0.99, learningRate: 0.3, weightDecay: 1e-6 },
  { from: 1000, momentum: 0.996, learningRate: 0.2, weightDecay: 1.5e-6 },
];
const presetOf = (epochs: number) => presets.findLast(({ from }) => epochs >= from)!;

const paper = (backbone: Backbone = resnet({ depth: 50 }), size = backbone.inputSize, epochs = 40): PretrainRecipe => ({
  method: byol({
    backbone,
    views: byolViews(size),
    hiddenSize: 4096,
    outputSize: 256,
    momentum: presetOf(epochs).momentum,
    classifier: true,
  }),
  settings: {
    epochs,
    optimizer: 'lars',
    learningRate: 2 * presetOf(epochs).learningRate,
    // Ten epochs, or a quarter of a training of fewer than 40.
    warmup: Math.min(10 / epochs, 0.25),
    momentum: 0.9,
    weightDecay: presetOf(epochs).weightDecay,
    precision: 'bfloat16',
    // The paper evaluates on the middle 287 px, resized to 224.
    evaluationCrop: 287 / 512,
  },
  batchSize: 512,
  imageSize: Math.max(512, size),
});

/** Trains in about a minute and a half on two cores. */
const demo = (backbone: Backbone = smallResNet(), size = 48): PretrainRecipe => ({
  method: byol({
    backbone,
    views: byolViews(fittingSize(backbone, size)).map((view) => ({
      ...smallScaled(view),
      crop: smallCrop,
    })) as ReturnType<typeof byolViews>,
    hiddenSize: 512,
    outputSize: 128,
    momentum: 0.97,
    classifier: true,
  }),
  settings: {
    ...paper().settings,
    // A minute or two whatever the data: 90 epochs of the synthetic cohort.
    ...{ epochs: undefined, steps: 720 },
    // LARS is made for batches of hundreds and trainings of thousands of steps.
    optimizer: 'sgd',
    learningRate: 0.08,
    precision: 'float32',
    evaluationCrop: 1,
  },
  // For many steps in a minute.
  batchSize: 32,
  imageSize: Math.max(64, size),
});

const smoke = (backbone?: Backbone, size?: number) => smokeScaled(demo(backbone, size), { learningRate: 0.01 });

/** Of notebook 13. */
export const byolRecipes: PretrainRecipes = { smoke, demo, paper };

import { dinoViews, imageNetColors } from '../augment/index.js';
import { type Backbone, fittingSize, vit, vitSmall16 } from '../models/index.js';
import { dino } from '../pretrain/index.js';
import { isVit, smallResNet } from './network.js';
import type { PretrainRecipe, PretrainRecipes } from './pretrain-recipe.js';
import { smallScaled, smokeScaled } from './small-scale.js';

/*
 * The settings of "Large-scale pretraining on pathological images for fine-tuning of small pathological benchmarks"
 * (arXiv 2303.15693), and how the small scales depart from them. What that paper does not publish is taken from DINO's
 * authors: their recipe for ViT-S/16. In trials at demo scale, on another synthetic cohort than the notebooks', the
 * outputs collapsed within a minute and a half: the loss is at log(outputs). Settings that learn in that time are not known.
 */

const paper = (
  network: Backbone = vit({ ...vitSmall16, colors: imageNetColors }),
  size = network.inputSize,
  epochs = 40,
): PretrainRecipe => ({
  method: dino({
    backbone: (dropPathRate) => (isVit(network) ? network.variant({ dropPathRate }) : network),
    // The authors' convolutional networks drop nothing.
    dropPathRate: isVit(network) ? 0.1 : 0,
    views: dinoViews(size, { size: fittingSize(network, (96 * size) / 224), count: 8 }),
    hiddenSize: 2048,
    bottleneckSize: 256,
    outputSize: 65_536,
    // Free with ViT-S alone, as the authors advise.
    normLastLayer: network.timm !== vitSmall16.timm,
    batchNorm: false,
    frozenEpochs: 1,
    studentTemperature: 0.1,
    // The authors' 30 epochs, or three quarters of a training of fewer than 40: it has to get to its end.
    teacherTemperature: { from: 0.04, to: 0.07, epochs: Math.min(30, Math.ceil(0.75 * epochs)) },
    momentum: 0.996,
    centerMomentum: 0.9,
  }),
  settings: {
    epochs,
    optimizer: 'adamw',
    // .0005 at 256.
    learningRate: 0.001,
    finalLearningRate: 1e-6,
    // Ten epochs, or a quarter of a training of fewer than 40.
    warmup: Math.min(10 / epochs, 0.25),
    weightDecay: 0.04,
    finalWeightDecay: 0.4,
    clipNorm: 3,
    clipOf: 'each',
    precision: 'bfloat16',
    // The paper evaluates on the middle 287 px, resized to 224.
    evaluationCrop: 287 / 512,
  },
  batchSize: 512,
  imageSize: Math.max(512, size),
});

/** Trains in about a minute and a half on two cores. A transformer takes many times as long to learn anything. */
const demo = (network: Backbone = smallResNet(), size = 48): PretrainRecipe => ({
  method: dino({
    backbone: () => network,
    dropPathRate: 0,
    views: dinoViews(fittingSize(network, size), { size: fittingSize(network, (2 * size) / 3), count: 2 }).map(
      smallScaled,
    ),
    hiddenSize: 256,
    bottleneckSize: 64,
    outputSize: 256,
    normLastLayer: true,
    batchNorm: true,
    frozenEpochs: 1,
    studentTemperature: 0.1,
    teacherTemperature: { from: 0.04, to: 0.04, epochs: 1 },
    momentum: 0.996,
    centerMomentum: 0.9,
  }),
  settings: {
    ...paper().settings,
    // A minute or two whatever the data: 50 epochs of the synthetic cohort.
    ...{ epochs: undefined, steps: 400 },
    learningRate: 0.0005,
    finalWeightDecay: 0.04,
    precision: 'float32',
    evaluationCrop: 1,
  },
  // For many steps in a minute.
  batchSize: 32,
  imageSize: Math.max(64, size),
});

const smoke = (network?: Backbone, size?: number) => smokeScaled(demo(network, size));

/** Of notebook 14. */
export const dinoRecipes: PretrainRecipes = { smoke, demo, paper };

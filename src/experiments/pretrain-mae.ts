import { imageNetColors, type ViewRecipe } from '../augment/index.js';
import { type Backbone, fittingSize, type Vit, vit, vitLarge16 } from '../models/index.js';
import { mae } from '../pretrain/index.js';
import { isVit, smallVit } from './network.js';
import type { PretrainRecipe, PretrainRecipes } from './pretrain-recipe.js';
import { smokeScaled } from './small-scale.js';

/*
 * The settings of MAE's authors (arXiv 2111.06377), for as many epochs as "Large-scale pretraining on pathological images
 * for fine-tuning of small pathological benchmarks" (arXiv 2303.15693) trains: its MAE came later, with no settings. What
 * differs at demo scale was chosen by trials on other synthetic cohorts than the notebooks'.
 */

/** Crops and flips alone, as the authors'. */
const views = (size: number): ViewRecipe => ({
  size,
  crop: { scale: [0.2, 1], ratio: [3 / 4, 4 / 3], interpolation: 'bicubic' },
  flips: { horizontal: 0.5, vertical: 0 },
});

const paper = (network: Backbone = vit(vitLarge16), size = network.inputSize): PretrainRecipe => ({
  method: mae({
    backbone: ofMae(network),
    views: views(size),
    maskRatio: 0.75,
    decoder: { width: 512, depth: 8, heads: 16 },
    normalizeTargets: true,
  }),
  settings: {
    epochs: 40,
    optimizer: 'adamw',
    // 1.5e-4 for 256 images.
    learningRate: 3e-4,
    // The authors' 40 epochs of 800.
    warmup: 0.05,
    betas: [0.9, 0.95],
    weightDecay: 0.05,
    precision: 'bfloat16',
    evaluationCrop: 287 / 512,
  },
  batchSize: 512,
  imageSize: Math.max(512, size),
});

/** A transformer with the authors' positions and colors. */
function ofMae(network: Backbone): Vit {
  if (isVit(network)) return network.variant({ colors: imageNetColors, positions: 'fixed' });
  throw new RangeError(
    `MAE masks patches of a vision transformer: backbone is one of them, as vit_base_patch16_224; got ${network.name}`,
  );
}

/** Trains in about a minute on two cores. Of 64 patches 16 are seen. */
const demo = (network: Backbone = smallVit(), size = 64): PretrainRecipe => ({
  method: mae({
    backbone: ofMae(network),
    // Flips in both directions: tissue has no orientation, and there are few patches.
    views: { ...views(fittingSize(network, size)), flips: { horizontal: 0.5, vertical: 0.5 } },
    maskRatio: 0.75,
    decoder: { width: 64, depth: 2, heads: 4 },
    normalizeTargets: true,
  }),
  settings: {
    ...paper().settings,
    ...{ epochs: undefined, steps: 800 },
    // In proportion to the batch it would be too small for a small network in a minute.
    learningRate: 2e-3,
    warmup: 0.1,
    precision: 'float32',
    evaluationCrop: 1,
  },
  batchSize: 32,
  imageSize: Math.max(64, size),
});

const smoke = (network?: Backbone, size?: number) => smokeScaled(demo(network, size));

/** Of notebook 15. */
export const maeRecipes: PretrainRecipes = { smoke, demo, paper };

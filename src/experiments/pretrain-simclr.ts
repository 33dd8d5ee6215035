import { selfSupervisedViews, type ViewRecipe } from '../augment/index.js';
import type { SyntheticCohortOptions } from '../datasets/index.js';
import type { SimclrSettings } from '../pretrain/index.js';

export type Scale = 'smoke' | 'demo' | 'paper';

/** What the notebook's parameters cell gives; `undefined` means: what the scale says. */
export interface SimclrParameters {
  scale: Scale;
  epochs?: number;
  batchSize?: number;
  learningRate?: number;
  neighbors?: number;
  seed?: number;
}

/** Everything that makes the experiment, beside its seed. */
export interface SimclrExperiment {
  settings: SimclrSettings;
  /** The synthetic slides to draw. */
  cohort: SyntheticCohortOptions;
  /** Side of a patch as the network gets it, px. */
  patchSize: number;
  /** Share of the labelled slides that is held out. */
  heldOut: number;
  /** Neighbours that vote in the kNN evaluation. */
  neighbors: number;
  /** Steps between two evaluations, and between two checkpoints. */
  evaluateEvery: number;
  checkpointEvery: number;
}

/*
 * The settings of "Large-scale pretraining on pathological images for fine-tuning of small pathological benchmarks"
 * (arXiv 2303.15693), and how the small scales depart from them. What that paper does not publish is taken from the
 * 100-epoch SimCLR settings of the implementation it used; its batch of 512 images makes 1,024 views.
 */

/** The paper's. */
const paper = {
  depth: 50,
  width: 1,
  hiddenSize: 2048,
  outputSize: 128,
  views: selfSupervisedViews(224),
  temperature: 0.1,
  batchSize: 512,
  epochs: 40,
  optimizer: 'lars',
  learningRate: 0.6,
  momentum: 0.9,
  weightDecay: 1e-6,
  warmup: 0.1,
} as const;

/** Views of 64 px patches, for trainings of minutes. */
const smallViews: ViewRecipe = {
  ...selfSupervisedViews(64),
  // Structures of 10 to 80 um are all that the kinds differ in: a larger cut hides which they are less often.
  crop: { scale: [0.3, 1], ratio: [3 / 4, 4 / 3] },
  // Six tenths of the paper's strength: with all of it hundreds of steps pass before anything but color is learned.
  jitter: { probability: 0.8, brightness: 0.24, contrast: 0.24, saturation: 0.24, hue: 0.06 },
  // A patch has 3.1 um/px and not .39: the paper's blur of up to 2 px would wipe out the nuclei.
  blur: { probability: 0.5, sigma: [0.1, 0.8], kernelSize: 5 },
};

/** Trains in about a minute on two cores. */
const demo = {
  ...paper,
  depth: 18,
  // A quarter of the channels: 0.7 million parameters.
  width: 0.25,
  hiddenSize: 512,
  views: smallViews,
  // Many small steps teach more in a minute than few large ones.
  batchSize: 32,
  epochs: 60,
  // LARS is made for batches of hundreds and trainings of thousands of steps.
  optimizer: 'sgd',
  learningRate: 0.05,
} as const;

/** Everything once, in seconds. */
const smoke = { ...demo, epochs: 2, batchSize: 16, hiddenSize: 128 } as const;

const scales = {
  smoke: {
    settings: smoke,
    cohort: { slides: 4, columns: 4, rows: 2, blockPatches: 1 },
    heldOut: 0.5,
    neighbors: 5,
    evaluations: 2,
  },
  demo: {
    settings: demo,
    // Many small slides rather than few large ones: what varies from slide to slide is what features must not learn.
    cohort: { slides: 24, columns: 6, rows: 4 },
    heldOut: 1 / 3,
    neighbors: 20,
    evaluations: 6,
  },
};

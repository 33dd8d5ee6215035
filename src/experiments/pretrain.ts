import type { SyntheticDatasetOptions } from '../datasets/index.js';
import type { Precision } from '../engine/index.js';
import type { AnyMethod, PretrainSettings } from '../pretrain/index.js';
import { checkMicroBatches, checkParameter, checkSize, checkTraining, checkWhole } from './check-parameter.js';
import { networkNamed } from './network.js';
import { byolRecipes } from './pretrain-byol.js';
import { dinoRecipes } from './pretrain-dino.js';
import { maeRecipes } from './pretrain-mae.js';
import { mocoV2Recipes } from './pretrain-mocov2.js';
import type { PretrainRecipe, PretrainRecipes, Scale } from './pretrain-recipe.js';
import { simclrRecipes } from './pretrain-simclr.js';
import { supervisedRecipes, withClassLoss } from './pretrain-supervised.js';
import { smallCohorts } from './small-scale.js';

/** The pretraining notebooks. */
const notebooks: Readonly<Record<string, PretrainRecipes>> = {
  '10-pretrain-supervised': supervisedRecipes,
  '11-pretrain-simclr': simclrRecipes,
  '12-pretrain-mocov2': mocoV2Recipes,
  '13-pretrain-byol': byolRecipes,
  '14-pretrain-dino': dinoRecipes,
  '15-pretrain-mae': maeRecipes,
};

export function isPretraining(notebook: string): boolean {
  return Object.hasOwn(notebooks, notebook);
}

/** The notebooks with the names of their methods, and whether those use labels. */
export function pretrainingNotebooks(): { notebook: string; name: string; supervised: boolean }[] {
  return Object.entries(notebooks).map(([notebook, { demo }]) => {
    const { name, supervised = false } = demo().method;
    return { notebook, name, supervised };
  });
}

/** What the split is called in a run's provenance. */
export const splitName = 'training and held-out patches';

/** Parameters of a pretraining notebook; `undefined` means the scale's default. */
export interface PretrainParameters {
  scale: Scale;
  /** See `openData`. */
  data?: string;
  /** Side of the patches that the user's images are cut into, px; by default an image is a patch. */
  tile?: number;
  /** A network by name (see `networkNamed`); by default the scale's. */
  backbone?: string;
  /** Side of the views, px; of several sizes, the largest. By default the scale's. */
  size?: number;
  /** Strength of the stain jitter of every view (see `withStain`); 0, the default, for none. */
  stain?: number;
  /** See `initialWeights`. */
  init?: string;
  epochs?: number;
  batchSize?: number;
  /** Parts that a batch is taken in, to need less memory (see `StepOptions`); 1 by default. */
  microBatches?: number;
  learningRate?: number;
  precision?: Precision;
  neighbors?: number;
  /** Of supervised pretraining: see `SupervisedOptions`. With weights, classes are drawn as often as there are patches. */
  labelSmoothing?: number;
  weighted?: boolean;
  seed?: number;
}

/** Everything that makes a pretraining experiment. */
export interface PretrainExperiment extends PretrainRecipe {
  notebook: string;
  scale: Scale;
  settings: PretrainSettings;
  /** The user's data; undefined for the scale's own. */
  data: string | undefined;
  tile: number | undefined;
  /** The synthetic cohort to draw without user data; null at paper scale. */
  synthetic: SyntheticDatasetOptions | null;
  /** The maximum numbers of training and held-out patches to evaluate. */
  evaluated: { bank: number; heldOut: number };
  /** k of the kNN evaluation. */
  neighbors: number;
  /** Steps between two evaluations, and between two checkpoints. */
  monitorEvery: number;
  checkpointEvery: number;
  /** The same at paper scale, for the page. */
  paper: PretrainRecipe;
}

const scales = {
  smoke: { evaluated: { bank: 512, heldOut: 256 }, neighbors: 5, monitorEvery: 8, checkpointEvery: 8 },
  demo: {
    evaluated: { bank: 4_000, heldOut: 2_000 },
    neighbors: 20,
    monitorEvery: 300,
    checkpointEvery: 120,
  },
  paper: {
    evaluated: { bank: 20_000, heldOut: 5_000 },
    neighbors: 20,
    monitorEvery: 5000,
    checkpointEvery: 1000,
  },
};

/**
 * A pretraining experiment: the recipe of its scale, overridden by parameters. The learning rate scales linearly with
 * the batch size, unless it is given too.
 *
 * @throws RangeError that names the parameter, its valid values, and the given one
 */
export function pretrainExperiment(notebook: string, parameters: PretrainParameters): PretrainExperiment {
  if (!isPretraining(notebook)) {
    throw new RangeError(`${notebook} is not a pretraining notebook: ${Object.keys(notebooks).join(', ')}`);
  }
  const recipes = notebooks[notebook]!;
  const {
    scale,
    data,
    tile,
    backbone: network,
    size,
    stain = 0,
    init,
    epochs,
    batchSize,
    microBatches,
    learningRate,
    precision,
    neighbors,
    labelSmoothing,
    weighted,
    seed = 1,
  } = parameters;
  if (!Object.hasOwn(recipes, scale)) {
    throw new RangeError(`scale is smoke, demo or paper; got ${JSON.stringify(scale)}`);
  }
  checkTraining(parameters);
  checkWhole('neighbors', neighbors, 1);
  checkParameter('stain', stain, (strength) => strength >= 0 && strength < 1, 'a number from 0 to below 1');
  checkParameter('labelSmoothing', labelSmoothing, (value) => value >= 0 && value < 1, 'a share from 0 to below 1');
  checkParameter('weighted', weighted, (value) => typeof value === 'boolean', 'true or false');
  const given = network === undefined ? undefined : networkNamed(network);
  const recipe = recipes[scale](given, size, epochs);
  const method = withClassLoss(recipe.method, { labelSmoothing, weighted });
  checkSize(method, size);
  checkMicroBatches(method, microBatches, batchSize ?? recipe.batchSize);
  const { settings } = recipe;
  return {
    ...scales[scale],
    ...recipe,
    method: stain > 0 ? withStain(method, stain) : method,
    balanced: weighted ? false : recipe.balanced,
    notebook,
    scale,
    data,
    tile,
    synthetic: scale === 'paper' ? null : smallCohorts[scale],
    batchSize: batchSize ?? recipe.batchSize,
    settings: {
      ...settings,
      seed,
      ...(init !== undefined && { init }),
      ...(epochs !== undefined && { epochs, steps: undefined }),
      ...(microBatches !== undefined && { microBatches }),
      precision: precision ?? settings.precision,
      learningRate: learningRate ?? (settings.learningRate * (batchSize ?? recipe.batchSize)) / recipe.batchSize,
    },
    neighbors: neighbors ?? scales[scale].neighbors,
    paper: recipes.paper(given, size),
  };
}

/**
 * A method whose views jitter the stains (see `hedJitter`): every view, each stain's density by a factor and a shift of the same
 * strength, as Tellez et al. draw them (Medical Image Analysis 2019;58:101544: .05 is their light one, .2 their strong one).
 */
function withStain(method: AnyMethod, strength: number): AnyMethod {
  const stain = { probability: 1, strength, shift: strength };
  return { ...method, views: method.views.map((view) => ({ ...view, stain })) };
}

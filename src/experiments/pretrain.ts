import type { SyntheticDatasetOptions } from '../datasets/index.js';
import type { Precision } from '../engine/index.js';
import type { Method, PretrainSettings } from '../pretrain/index.js';

export type Scale = 'smoke' | 'demo' | 'paper';

/** What the parameters cell of a pretraining notebook gives; `undefined` means: what the scale says. */
export interface PretrainParameters {
  scale: Scale;
  /** See `openPatches`. */
  data?: string;
  epochs?: number;
  batchSize?: number;
  learningRate?: number;
  precision?: Precision;
  neighbors?: number;
  seed?: number;
}

/** A pretraining method at a scale. */
export interface PretrainRecipe {
  method: Method;
  settings: Omit<PretrainSettings, 'seed'>;
  batchSize: number;
  /** The least side that patches are decoded at, px. */
  imageSize: number;
}

/** Everything that makes a pretraining experiment. */
export interface PretrainExperiment {
  notebook: string;
  scale: Scale;
  method: Method;
  settings: PretrainSettings;
  batchSize: number;
  imageSize: number;
  /** What the user named, or undefined: the scale's own data. */
  data: string | undefined;
  /** The synthetic cohort to draw where no data are named; null at paper scale. */
  synthetic: SyntheticDatasetOptions | null;
  /** Share of the patches that is held out, and how many are evaluated at most, of training patches and of held-out ones. */
  heldOut: number;
  evaluated: { bank: number; heldOut: number };
  /** Neighbors that vote in the kNN evaluation. */
  neighbors: number;
  /** Steps between two evaluations, and between two checkpoints. */
  monitorEvery: number;
  checkpointEvery: number;
  /** The same at paper scale, for the page. */
  paper: PretrainRecipe;
}

/**
 * Slides that pretraining notebooks share at the small scales: eight classes that differ in structure and not in color, of
 * many small slides from three sites. With all 20 classes a few hundred patches would hold too few of each.
 */
const cohorts: Record<Exclude<Scale, 'paper'>, SyntheticDatasetOptions> = {
  smoke: { kind: 'ptcga200', classes: 4, patients: 3, sites: 3, columns: 2, rows: 2 },
  demo: { kind: 'ptcga200', classes: 8, patients: 6, sites: 3, columns: 4, rows: 3 },
};

const scales = {
  smoke: { evaluated: { bank: 512, heldOut: 256 }, heldOut: 1 / 3, neighbors: 5, monitorEvery: 8, checkpointEvery: 8 },
  demo: {
    evaluated: { bank: 4_000, heldOut: 2_000 },
    heldOut: 1 / 3,
    neighbors: 20,
    monitorEvery: 120,
    checkpointEvery: 120,
  },
  paper: {
    evaluated: { bank: 20_000, heldOut: 5_000 },
    heldOut: 0.03,
    neighbors: 20,
    monitorEvery: 5000,
    checkpointEvery: 1000,
  },
};

/**
 * A pretraining experiment: the recipe of its scale, with what was asked for put over it. A batch of another size takes a
 * learning rate in proportion (linear scaling), unless that is given too.
 *
 * @throws RangeError that names the parameter, what it takes, and what it got
 */
export function pretrainExperiment(
  notebook: string,
  recipes: Readonly<Record<Scale, () => PretrainRecipe>>,
  parameters: PretrainParameters,
): PretrainExperiment {
  const { scale, data, epochs, batchSize, learningRate, precision, neighbors, seed = 1 } = parameters;
  if (!Object.hasOwn(recipes, scale)) {
    throw new RangeError(`scale is smoke, demo or paper; got ${JSON.stringify(scale)}`);
  }
  const whole = (least: number) => (value: unknown) => Number.isSafeInteger(value) && (value as number) >= least;
  check('epochs', epochs, whole(1), 'a whole number of 1 or more');
  check('batchSize', batchSize, whole(2), 'a whole number of 2 or more');
  check('learningRate', learningRate, (value) => value > 0 && value < Infinity, 'a number above 0');
  check(
    'precision',
    precision,
    (value) => ['float32', 'bfloat16', 'float16'].includes(value),
    'float32, bfloat16 or float16',
  );
  check('neighbors', neighbors, whole(1), 'a whole number of 1 or more');
  check('seed', seed, Number.isSafeInteger, 'a whole number');
  const recipe = recipes[scale]();
  const { settings } = recipe;
  return {
    ...scales[scale],
    notebook,
    scale,
    data,
    synthetic: scale === 'paper' ? null : cohorts[scale],
    method: recipe.method,
    imageSize: recipe.imageSize,
    batchSize: batchSize ?? recipe.batchSize,
    settings: {
      ...settings,
      seed,
      ...(epochs !== undefined && { epochs, steps: undefined }),
      precision: precision ?? settings.precision,
      learningRate: learningRate ?? (settings.learningRate * (batchSize ?? recipe.batchSize)) / recipe.batchSize,
    },
    neighbors: neighbors ?? scales[scale].neighbors,
    paper: recipes.paper(),
  };
}

function check<Value>(name: string, value: Value | undefined, holds: (value: Value) => boolean, takes: string): void {
  if (value !== undefined && !holds(value)) {
    throw new RangeError(`${name} is ${takes}; got ${JSON.stringify(value)}`);
  }
}

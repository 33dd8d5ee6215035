import type { SyntheticDatasetOptions } from '../datasets/index.js';
import type { Precision } from '../engine/index.js';
import type { PatientResults } from '../evaluate/index.js';
import type { TestTimeAugmentation } from '../finetune/index.js';
import type { SegmentationHeadName } from '../models/index.js';
import type { PretrainSettings } from '../pretrain/index.js';
import { checkMicroBatches, checkParameter, checkSize, checkTraining, checkWhole } from './check-parameter.js';
import { fineTunePcam200 } from './finetune-pcam200.js';
import { fineTunePtcga200 } from './finetune-ptcga200.js';
import {
  type ClassificationLoss,
  classificationLosses,
  type FineTunePage,
  type FineTuneProtocol,
  type FineTuneRecipe,
  type FineTuneTask,
  protocols,
} from './finetune-recipe.js';
import { fineTuneSegPanda200 } from './finetune-segpanda200.js';
import { isVit, networkNamed } from './network.js';
import type { Scale } from './pretrain-recipe.js';

/** The fine-tuning notebooks. */
const notebooks = {
  '20-finetune-ptcga200': fineTunePtcga200,
  '21-finetune-pcam200': fineTunePcam200,
  '30-segment-segpanda200': fineTuneSegPanda200,
};

export type FineTuneNotebook = keyof typeof notebooks;
type ResultsOf<Name extends FineTuneNotebook> =
  (typeof notebooks)[Name] extends FineTunePage<infer Results> ? Results : never;

/** Parameters of a fine-tuning notebook; `undefined` means the scale's default. */
export interface FineTuneParameters {
  scale: Scale;
  /** See `openData`. */
  data?: string;
  /** Side of the patches that the user's images are cut into, px; by default an image is a patch. */
  tile?: number;
  /** A network by name (see `networkNamed`); by default the scale's. */
  backbone?: string;
  /** Side of the views, px; by default the scale's. */
  size?: number;
  /** A segmentation head by name (see `segmenter`); by default the backbone's. */
  head?: string;
  /**
   * The arms, with commas between: `random`, `imagenet`, run folders, files of weights, and `imagenet=FILE` and `coco=FILE`
   * for files of such weights. By default random, ImageNet where there are such weights of the backbone, and every finished
   * pretraining of this scale whose backbone fits.
   */
  init?: string;
  folds?: number;
  seeds?: number;
  /** Steps without a better validation after which a training stops, with its best model; by default all steps are done. */
  patience?: number;
  /** How the network is trained; by default as in the paper. BiT's rule is for classification only. */
  protocol?: FineTuneProtocol;
  /** Of a classification; by default cross entropy. */
  loss?: ClassificationLoss;
  /** Orientations of a test patch over which predictions are averaged; by default the scale's. */
  testTime?: TestTimeAugmentation;
  /** Passes over the training patches, or steps: not both. */
  epochs?: number;
  steps?: number;
  batchSize?: number;
  /** Parts that a batch is taken in, to need less memory (see `StepOptions`); 1 by default. */
  microBatches?: number;
  learningRate?: number;
  precision?: Precision;
  /** How many training patients' labels are used; by default all. */
  labels?: number;
  /** What arms are compared by, one of the page's metrics; by default its own. */
  metric?: string;
  /** The first of the seeds. */
  seed?: number;
}

/** Everything that makes a fine-tuning experiment. */
export interface FineTuneExperiment<Results extends PatientResults> extends FineTuneRecipe {
  notebook: string;
  scale: Scale;
  task: FineTuneTask<Results>;
  /** Of the first seed; its weights to begin with are the arm's. */
  settings: Omit<PretrainSettings, 'init'>;
  /** The user's data; undefined for the scale's own. */
  data: string | undefined;
  tile: number | undefined;
  /** The definition at paper scale, and the synthetic cohort to draw at the others without user data. */
  definition: string;
  synthetic: SyntheticDatasetOptions | null;
  /** What the arms are asked to begin with; undefined: what there is. */
  init: readonly string[] | undefined;
  labels: number | undefined;
  /** The same at paper scale, for the page. */
  paper: FineTuneRecipe;
}

export function isFineTuning(notebook: string): notebook is FineTuneNotebook {
  return Object.hasOwn(notebooks, notebook);
}

/**
 * A fine-tuning experiment: the recipe of its scale, overridden by parameters. The learning rate scales linearly with the
 * batch size, unless it is given too.
 *
 * @throws RangeError that names the parameter, its valid values, and the given one
 */
export function fineTuneExperiment<Name extends FineTuneNotebook>(
  notebook: Name,
  parameters: FineTuneParameters,
): FineTuneExperiment<ResultsOf<Name>> {
  if (!isFineTuning(notebook)) {
    throw new RangeError(`${notebook as string} is not a fine-tuning notebook: ${Object.keys(notebooks).join(', ')}`);
  }
  const page = notebooks[notebook] as unknown as FineTunePage<ResultsOf<Name>>;
  const { dataset, cohorts, recipes } = page;
  const {
    scale,
    data,
    tile,
    init,
    epochs,
    steps,
    batchSize,
    microBatches,
    learningRate,
    precision,
    seed = 1,
  } = parameters;
  if (!Object.hasOwn(recipes, scale)) {
    throw new RangeError(`scale is smoke, demo or paper; got ${JSON.stringify(scale)}`);
  }
  checkTraining(parameters);
  for (const name of ['steps', 'folds', 'seeds', 'labels', 'patience'] as const) checkWhole(name, parameters[name], 1);
  if (epochs !== undefined && steps !== undefined) {
    throw new RangeError(`give epochs or steps; got epochs ${epochs} and steps ${steps}`);
  }
  const starts = init?.split(',').map((each) => each.trim());
  checkParameter(
    'init',
    starts,
    (each) => !each.includes('') && new Set(each).size === each.length,
    'different arms with commas between: random, imagenet, run folders, files, imagenet=FILE, coco=FILE',
  );
  const given = parameters.backbone === undefined ? undefined : networkNamed(parameters.backbone);
  // Arms are ordered by it, and trainings stopped.
  const metrics = Object.keys(page.task.metrics).filter((each) => !page.task.metrics[each]!.lowerIsBetter);
  checkParameter('metric', parameters.metric, (each) => metrics.includes(each), metrics.join(', '));
  const task = { ...page.task, main: parameters.metric ?? page.task.main };
  const head = parameters.head as SegmentationHeadName | undefined;
  if (head !== undefined && !task.masks) throw new RangeError('head is for segmentation: this page has none');
  checkRecipe(parameters, page.task);
  const network = { backbone: given, head, size: parameters.size };
  const { protocol, loss } = parameters;
  const recipe = recipes[scale]({ ...network, protocol, loss });
  checkSize(recipe.method, parameters.size);
  if (protocol === 'layerwise' && !isVit(recipe.method.backbone)) {
    throw new RangeError(
      `protocol layerwise is for vision transformers, whose blocks are its layers; the backbone is ${recipe.method.backbone.name}`,
    );
  }
  checkMicroBatches(recipe.method, microBatches, batchSize ?? recipe.batchSize);
  const { settings } = recipe;
  const folds = parameters.folds ?? recipe.folds;
  const patience = parameters.patience ?? recipe.patience;
  if (patience !== undefined && folds === 1) {
    throw new RangeError('patience needs validation patients: take two folds or more');
  }
  return {
    ...recipe,
    ...{ folds, patience, monitorEvery: Math.min(recipe.monitorEvery, patience ?? recipe.monitorEvery) },
    ...{ notebook, scale, task, data, tile, definition: dataset, init: starts, labels: parameters.labels },
    synthetic: scale === 'paper' ? null : cohorts[scale],
    seeds: parameters.seeds ?? recipe.seeds,
    testTime: parameters.testTime ?? recipe.testTime,
    batchSize: batchSize ?? recipe.batchSize,
    settings: {
      ...settings,
      seed,
      ...(epochs !== undefined && { epochs, steps: undefined }),
      ...(steps !== undefined && { steps, epochs: undefined }),
      ...(microBatches !== undefined && { microBatches }),
      precision: precision ?? settings.precision,
      learningRate: learningRate ?? (settings.learningRate * (batchSize ?? recipe.batchSize)) / recipe.batchSize,
    },
    paper: recipes.paper(network),
  };
}

/** The checks of what a page's parameters say of its recipe, but for sizes and networks. */
function checkRecipe({ protocol, loss, testTime }: FineTuneParameters, { masks }: Pick<FineTuneTask<never>, 'masks'>) {
  const oneOf = (name: string, value: string | undefined, known: readonly string[]) =>
    checkParameter(name, value, (each) => known.includes(each), known.join(', '));
  oneOf('protocol', protocol, masks ? protocols.filter((each) => each !== 'bit') : protocols);
  oneOf('testTime', testTime, ['none', 'flips', 'dihedral']);
  if (loss !== undefined && masks) throw new RangeError('loss is for classification: that of this page is set');
  oneOf('loss', loss, classificationLosses);
}

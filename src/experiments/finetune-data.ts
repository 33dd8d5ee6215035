import { key } from '../base/index.js';
import type { DatasetSlide, PatchSplit, ShardDataset } from '../datasets/index.js';
import { groupsOf, type PatientResults, type Unit } from '../evaluate/index.js';
import { BatchSource } from '../input/index.js';
import { fittingSize } from '../models/index.js';
import type { FineTuneExperiment } from './finetune.js';
import { drawOrder, groupsIn, type PatientGroup } from './finetune-draws.js';
import { dataKey, type OpenDataWatch, openNamed, pretrainingDefinition, splitOf } from './pretraining-data.js';

/** The patches of one fold, rows of the index. */
export interface FineTuneFold {
  train: Int32Array;
  /** Empty where there is one fold, and all patients train. */
  validation: Int32Array;
}

/** The patches of a fine-tuning experiment. */
export interface FineTuneData {
  dataset: ShardDataset;
  /** Slides whose files are here (see `openData`). */
  slides: readonly DatasetSlide[];
  /** How the data were interpreted, in sentences. */
  understood: readonly string[];
  /** Training and test patients: of the same data, those that pretraining notebooks hold out. */
  split: PatchSplit;
  /** Whether these are the pretraining notebooks' own data. */
  ofPretraining: boolean;
  /** What is drawn, split and resampled as a whole: patients where they are known of all patches. */
  by: Unit;
  /** How many of them have labels that are used, and how many there are for training. */
  labelled: number;
  available: number;
  /** By seed, for each of which other labels are drawn; the same for all where all labels are used. */
  folds: ReadonlyMap<number, readonly FineTuneFold[]>;
  /** All labelled patches of the test patients, in order. */
  test: BatchSource;
}

/**
 * Opens the data of an experiment: the user's, or the scale's own. The test patients are those that pretraining notebooks
 * hold out of the same data. Of the training patients each seed draws as many as `labels`, uniformly at random but for what
 * every class and fold needs (see `drawOrder`); more labels add to the patients of fewer. Each fold has its share of every
 * class that is drawn.
 *
 * @throws Error for data without labels, and for too few patients of a class; InterruptedError when `signal` aborts
 */
export async function fineTuningData<Results extends PatientResults>(
  experiment: FineTuneExperiment<Results>,
  watch: OpenDataWatch = {},
): Promise<FineTuneData> {
  const { dataset, slides, understood } = await openNamed(experiment, watch);
  const split = splitOf(dataset, experiment.scale);
  const { masks } = experiment.task;
  const has = (row: number) => (masks ? dataset.mask.length[row]! > 0 : dataset.labels[row]! >= 0);
  const [train, test] = [split.train.filter(has), split.heldOut.filter(has)];
  for (const [rows, part] of [
    [train, 'to train on'],
    [test, 'to judge by'],
  ] as const) {
    if (rows.length > 0) continue;
    throw new Error(
      `fine-tuning learns from ${masks ? 'masks' : 'classes'}, and ${dataset.folder} has no patches with one ${part}`,
    );
  }
  const { of: by } = groupsOf({ dataset, rows: Int32Array.from([...train, ...test]) });
  const { names } = groupsOf({ dataset, rows: train }, by);
  const available = new Set(names).size;
  const labelled = experiment.labels ?? available;
  const groups = groupsIn(dataset, train, names);
  const folds = new Map(
    fineTuningSeeds(experiment).map((seed) => {
      const from = dataKey.fold('fine-tuning').fold('labels');
      const drawn = drawOrder(groups, labelled < available ? from.fold(seed) : from, experiment.folds);
      return [seed, foldsOf(drawn, { available, by }, experiment, dataset)];
    }),
  );
  const ofPretraining = experiment.data === undefined && experiment.definition === pretrainingDefinition;
  const data = { dataset, slides, understood, split, ofPretraining, by, labelled, available, folds };
  const inOrder = patchesInOrder(experiment, data, test);
  if (masks) requireFittingSize(experiment, inOrder);
  return { ...data, test: inOrder };
}

/** The seeds of an experiment, from the first. */
export function fineTuningSeeds<Results extends PatientResults>({
  seeds,
  settings,
}: Pick<FineTuneExperiment<Results>, 'seeds' | 'settings'>): number[] {
  return Array.from({ length: seeds }, (_, place) => (settings.seed as number) + place);
}

/** Shuffled training patches of a fold. */
export function trainingPatches<Results extends PatientResults>(
  experiment: FineTuneExperiment<Results>,
  { dataset, folds }: Pick<FineTuneData, 'dataset' | 'folds'>,
  { fold, seed }: { fold: number; seed: number },
): BatchSource {
  const { batchSize, balanced } = experiment;
  const patches = folds.get(seed)![fold]!.train;
  const order = key(seed).fold('order');
  return new BatchSource(dataset, { ...decodedAs(experiment), patches, batchSize, balanced, key: order });
}

/** Patches in their order, as for validation. */
export function patchesInOrder<Results extends PatientResults>(
  experiment: FineTuneExperiment<Results>,
  { dataset }: Pick<FineTuneData, 'dataset'>,
  patches: Int32Array,
): BatchSource {
  const batchSize = Math.min(64, patches.length);
  return new BatchSource(dataset, { ...decodedAs(experiment), patches, batchSize });
}

/** Segmentation predicts whole patches, as they are decoded. */
function requireFittingSize<Results extends PatientResults>(
  { method: { backbone } }: FineTuneExperiment<Results>,
  { size, dataset }: BatchSource,
): void {
  const fitting = fittingSize(backbone, size);
  if (fitting === size) return;
  const ratio = Math.round(dataset.size / size);
  throw new RangeError(
    `patches of ${dataset.size} px are decoded at ${size} px, which does not fit ${backbone.name}: cut images into patches ` +
      `of ${ratio * fitting} px (tile)`,
  );
}

function decodedAs<Results extends PatientResults>({ task: { masks }, imageSize }: FineTuneExperiment<Results>) {
  return { masks, imageSize };
}

/** The folds of the groups that are drawn first. */
function foldsOf<Results extends PatientResults>(
  groups: readonly PatientGroup[],
  { available, by }: { available: number; by: Unit },
  { folds, labels, task }: FineTuneExperiment<Results>,
  dataset: ShardDataset,
): FineTuneFold[] {
  const labelled = labels ?? available;
  if (labelled > available) throw new RangeError(`labels is at most ${available}, the training ${by}; got ${labels}`);
  if (folds > labelled) {
    throw new RangeError(
      `${folds} folds need as many ${by}, and there are labels of ${labelled}: take fewer folds, or more labels`,
    );
  }
  // Class by class in turn, so that each fold has its share of every class.
  const parts = groups
    .slice(0, labelled)
    .sort((one, other) => one.label - other.label)
    .map(({ rows }, place) => ({ rows, part: place % folds }));
  const rowsOf = (isIn: (part: number) => boolean) =>
    Int32Array.from(parts.filter(({ part }) => isIn(part)).flatMap(({ rows }) => rows)).sort();
  const made = Array.from({ length: folds }, (_, fold) => ({
    train: rowsOf((part) => folds === 1 || part !== fold),
    validation: rowsOf((part) => folds > 1 && part === fold),
  }));
  if (!task.masks)
    for (const [fold, { train }] of made.entries()) requireClasses(dataset, train, { fold, folds, by, labelled });
  return made;
}

function requireClasses(
  { classNames, labels }: ShardDataset,
  rows: Int32Array,
  { fold, folds, by, labelled }: { fold: number; folds: number; by: string; labelled: number },
): void {
  const present = new Set(rows.map((row) => labels[row]!));
  const lacking = classNames.filter((_, label) => !present.has(label));
  if (lacking.length === 0) return;
  throw new Error(
    `fold ${fold + 1} of ${folds} has nothing to train on of ${lacking.map((name) => `"${name}"`).join(', ')}, among the ` +
      `labels of ${labelled} ${by}: take more labels or fewer folds, or leave the class out of the data`,
  );
}

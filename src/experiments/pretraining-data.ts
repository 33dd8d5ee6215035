import { join } from 'node:path';
import { type Key, key } from '../base/index.js';
import {
  type CompileProgress,
  openData,
  type PatchSplit,
  type ShardDataset,
  splitPatches,
  syntheticDataset,
} from '../datasets/index.js';
import { BatchSource } from '../input/index.js';
import type { PretrainExperiment } from './pretrain.js';
import type { Scale } from './pretrain-recipe.js';
import { viewedPatches, watchedCounts } from './watching.js';

/** Not the run's seed: methods and seeds are compared on the same slides and the same held-out patients. */
export const dataKey = key('pretraining data');

/** What pretraining pages read at paper scale; at the others, a synthetic cohort of it. */
export const pretrainingDefinition = 'ptcga200';

/** The patches of a pretraining experiment, for training and evaluation. */
export interface PretrainingData {
  dataset: ShardDataset;
  /** How the data were interpreted, in sentences. */
  understood: readonly string[];
  split: PatchSplit;
  /** The training patches, shuffled: all, or for a supervised method those with a class. */
  train: BatchSource;
  /** Patches of the training split, to compare held-out ones with; if there are classes, those with a class. */
  known: BatchSource;
  /** The kNN bank, which is `known` if there are classes; null without. */
  bank: BatchSource | null;
  /** Held-out patches; if there are classes, those with a class. */
  heldOut: BatchSource;
  /** What evaluations during training take of `bank` and `heldOut`: all, or as many as the training's length allows. */
  watched: { bank: BatchSource | null; heldOut: BatchSource };
  /** Held-out patches, drawn at random, of which views are compared during training. */
  viewed: BatchSource;
}

/** Drawing and cutting, as they go. */
export interface OpenDataWatch {
  onDraw?: (done: number, total: number) => void;
  onCompile?: (event: CompileProgress) => void;
  signal?: AbortSignal;
}

/**
 * Opens the data of an experiment: the user's, or the scale's own. Slides are drawn and patches are cut if needed.
 *
 * @param replica which part of every training batch is loaded here; by default all
 * @throws Error with the problem and its solution; InterruptedError when `signal` aborts
 */
export async function pretrainingData(
  experiment: PretrainExperiment,
  watch: OpenDataWatch = {},
  replica?: BatchSource['replica'],
): Promise<PretrainingData> {
  const { method, settings, batchSize, imageSize, balanced, evaluated } = experiment;
  const { dataset, understood } = await openNamed({ ...experiment, definition: pretrainingDefinition }, watch);
  const split = splitOf(dataset, experiment.scale);
  const labelled = (rows: Int32Array) => rows.filter((row) => dataset.labels[row]! >= 0);
  const hasClasses = labelled(split.train).length > 0 && labelled(split.heldOut).length > 0;
  if (method.supervised && !hasClasses) {
    throw new Error(
      `${method.name} learns from classes, and ${dataset.folder} has no patches with a class ${labelled(split.train).length > 0 ? 'to judge it by' : 'to train on'}; ` +
        'use data with classes, or a self-supervised notebook (11 to 15)',
    );
  }
  const trained = method.supervised ? labelled(split.train) : split.train;
  const inOrder = (rows: Int32Array, max: number, name: string) => {
    const patches = drawRows(rows, max, dataKey.fold('evaluated').fold(name));
    return new BatchSource(dataset, { patches, batchSize: Math.min(64, patches.length), imageSize });
  };
  const train = new BatchSource(dataset, {
    patches: trained,
    batchSize,
    imageSize,
    balanced,
    key: key(settings.seed).fold('order'),
    replica,
  });
  const known = inOrder(hasClasses ? labelled(split.train) : split.train, evaluated.bank, 'bank');
  const heldOut = inOrder(hasClasses ? labelled(split.heldOut) : split.heldOut, evaluated.heldOut, 'held out');
  const counts = watchedCounts(experiment, {
    train,
    bank: hasClasses ? known.count : 0,
    heldOut: heldOut.count,
  });
  const part = (source: BatchSource, count: number) =>
    count === source.count ? source : inOrder(source.rows, count, 'watched');
  return {
    ...{ dataset, understood, split, train, known, heldOut },
    bank: hasClasses ? known : null,
    watched: { bank: hasClasses ? part(known, counts.bank) : null, heldOut: part(heldOut, counts.heldOut) },
    viewed: inOrder(heldOut.rows, viewedPatches, 'viewed'),
  };
}

/**
 * The split of a dataset, the same on all pages: no pretraining of the same data has seen the test patients of a fine-tuning.
 * Of PTCGA200 at paper scale 3 % is held out, as the paper does, which is many patients. Of any other data it is a third at
 * every scale, which about equals Camelyon16's own test part (129 of 399 slides): of a small set, less would leave too few
 * patients to judge by.
 */
export function splitOf(dataset: ShardDataset, scale: Scale): PatchSplit {
  const isPapers = scale === 'paper' && dataset.report.dataset === pretrainingDefinition;
  return splitPatches(dataset, { heldOut: isPapers ? 0.03 : 1 / 3 }, dataKey.fold('split'));
}

/** The user's data, or the scale's own: a synthetic cohort or, at paper scale, the definition's. */
export async function openNamed(
  {
    data,
    tile,
    synthetic,
    definition,
  }: Pick<PretrainExperiment, 'data' | 'tile' | 'synthetic'> & { definition: string },
  { onDraw, onCompile: onProgress, signal }: OpenDataWatch,
) {
  if (data !== undefined || !synthetic) return openData(data ?? definition, { tile, onProgress, signal });
  const drawn = await syntheticDataset(synthetic, dataKey.fold('slides'), { onProgress: onDraw, signal });
  return openData(drawn.definitionPath, { data: join(drawn.folder, 'shards'), onProgress, signal });
}

/** A random sample of the rows, in ascending order; all if there are no more. */
function drawRows(rows: Int32Array, max: number, from: Key): Int32Array {
  return rows.length <= max ? rows : from.generator().shuffle(rows.slice()).slice(0, max).sort();
}

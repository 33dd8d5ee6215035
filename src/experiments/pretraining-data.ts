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

/** The patches of a pretraining experiment: to train on, and to judge features by. */
export interface PretrainingData {
  dataset: ShardDataset;
  /** What was understood of the data, in plain sentences. */
  understood: readonly string[];
  split: PatchSplit;
  /** The training split's patches, shuffled: all, or those with a class where the method learns from classes. */
  train: BatchSource;
  /** Patches of the training split whose classes are known, which held-out patches are compared with; null without classes. */
  bank: BatchSource | null;
  /** Held-out patches, those with a class where there are classes. */
  heldOut: BatchSource;
}

/**
 * Opens the data of an experiment: what the user named, or the scale's own. Slides that are not drawn and patches that are
 * not cut yet are.
 *
 * @throws Error that says what is there and what to do; InterruptedError when `signal` aborts
 */
export async function pretrainingData(
  experiment: PretrainExperiment,
  watch: {
    onDraw?: (done: number, total: number) => void;
    onCompile?: (event: CompileProgress) => void;
    signal?: AbortSignal;
  } = {},
): Promise<PretrainingData> {
  const { method, settings, batchSize, imageSize, balanced, evaluated } = experiment;
  const root = key(settings.seed);
  const { dataset, understood } = await openNamed(experiment, root, watch);
  const split = splitPatches(dataset, { heldOut: experiment.heldOut }, root.fold('split'));
  const labelled = (rows: Int32Array) => rows.filter((row) => dataset.labels[row]! >= 0);
  const hasClasses = labelled(split.train).length > 0 && labelled(split.heldOut).length > 0;
  if (method.supervised && !hasClasses) {
    throw new Error(
      `${method.name} learns from classes, and ${dataset.folder} has no patches with a class ${labelled(split.train).length > 0 ? 'to judge it by' : 'to train on'}; ` +
        'give data with classes, or take a self-supervised notebook (11 to 15)',
    );
  }
  const trained = method.supervised ? labelled(split.train) : split.train;
  const inOrder = (rows: Int32Array, max: number, name: string) =>
    new BatchSource(dataset, {
      patches: drawRows(rows, max, root.fold('evaluated').fold(name)),
      batchSize: Math.min(64, rows.length),
      imageSize,
    });
  return {
    dataset,
    understood,
    split,
    train: new BatchSource(dataset, { patches: trained, batchSize, imageSize, balanced, key: root.fold('order') }),
    bank: hasClasses ? inOrder(labelled(split.train), evaluated.bank, 'bank') : null,
    heldOut: inOrder(hasClasses ? labelled(split.heldOut) : split.heldOut, evaluated.heldOut, 'held out'),
  };
}

async function openNamed(
  { data, synthetic }: PretrainExperiment,
  root: Key,
  { onDraw, onCompile: onProgress, signal }: Parameters<typeof pretrainingData>[1] & object,
) {
  if (data !== undefined || !synthetic) return openData(data ?? 'ptcga200', { onProgress, signal });
  const drawn = await syntheticDataset(synthetic, root.fold('slides'), { onProgress: onDraw, signal });
  return openData(drawn.definitionPath, { data: join(drawn.folder, 'shards'), onProgress, signal });
}

/** Some of the rows, drawn, in ascending order; all where there are no more. */
function drawRows(rows: Int32Array, max: number, from: Key): Int32Array {
  return rows.length <= max ? rows : from.generator().shuffle(rows.slice()).slice(0, max).sort();
}

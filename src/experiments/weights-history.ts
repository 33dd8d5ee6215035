import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve, sep } from 'node:path';
import type { Provenance } from '../runs/index.js';
import { isFineTuning } from './finetune.js';
import { modelFolder } from './finetune-model.js';
import { keptFineTunings, type PastTraining } from './finetune-run.js';
import { pretrainingNotebooks } from './pretrain.js';

/** First weights that are a word, not a path, and how pages call them. */
export const weightWords: Readonly<Record<string, string>> = { random: 'random', imagenet: 'ImageNet', coco: 'COCO' };

/**
 * The trainings that weights have been through: that of the run in whose folder they are, and those of the weights that it
 * began with.
 *
 * @param init `random`, `imagenet`, `coco`, or a path; a relative one starts at `root`
 * @returns from the last training back; null stands for a past that is not known, of a file that is in no finished run
 */
export function weightsHistory(init: string, root: string, seen = new Set<string>()): (PastTraining | null)[] {
  if (init === 'random') return [];
  if (Object.hasOwn(weightWords, init)) return [{ data: [{ name: weightWords[init] }], splits: {}, supervised: true }];
  const path = resolve(root, init);
  const run = runAround(path);
  if (run === undefined) return [null];
  if (seen.has(run)) return [];
  seen.add(run);
  const read = (name: string) => JSON.parse(readFileSync(join(run, name), 'utf8'));
  const { notebook, scale, runHash, data, splits } = read('provenance.json') as Provenance;
  const isFineTuned = isFineTuning(notebook);
  const supervised =
    isFineTuned || pretrainingNotebooks().some((each) => each.notebook === notebook && each.supervised);
  const before = isFineTuned
    ? trainingsBefore(run, path)
    : weightsHistory((read('parameters.json') as { init?: string }).init ?? 'random', root, seen);
  return [{ data, splits, supervised, run: { notebook, scale, runHash } }, ...before];
}

/** Trainings as arms are called by them, from the first: `SimCLR`, or `ImageNet, then SimCLR`. */
export function pastWords(trainings: readonly (PastTraining | null)[]): string {
  const methods = new Map(pretrainingNotebooks().map(({ notebook, name }) => [notebook, name]));
  const words = trainings.map((training) => {
    if (training === null) return 'unknown weights';
    const { run, data } = training;
    return run ? (methods.get(run.notebook) ?? 'fine-tuning') : String(data[0]!.name);
  });
  return words.reverse().join(', then ');
}

/** Those of a fine-tuned model; of a path that is in no model's folder, of all models of the run. */
function trainingsBefore(run: string, path: string): (PastTraining | null)[] {
  const all = keptFineTunings(run);
  const own = all.filter((each) => `${path}${sep}`.startsWith(`${modelFolder({ folder: run }, each)}${sep}`));
  const trainings = (own.length > 0 ? own : all).flatMap(({ start }) => start.trainings);
  return [...new Map(trainings.map((training) => [JSON.stringify(training), training])).values()];
}

/** The nearest folder of a finished run that has a path in it, or is it. */
function runAround(path: string): string | undefined {
  if (existsSync(join(path, 'provenance.json'))) return path;
  const parent = dirname(path);
  return parent === path ? undefined : runAround(parent);
}

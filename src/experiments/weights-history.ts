import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Provenance } from '../runs/index.js';
import { isFineTuning } from './finetune.js';
import { pretrainingNotebooks } from './pretrain.js';

/** First weights that are a word, not a path, and how pages call them. */
export const weightWords: Readonly<Record<string, string>> = { random: 'random', imagenet: 'ImageNet', coco: 'COCO' };

/** A training that weights have been through. */
export interface PastTraining extends Pick<Provenance, 'data' | 'splits'> {
  /** Whether it used labels. */
  supervised: boolean;
}

/**
 * The trainings that weights have been through: that of the run in whose folder they are, and those of the weights that it
 * began with.
 *
 * @param init `random`, `imagenet`, `coco`, or a path; a relative one starts at `root`
 * @returns undefined stands for a past that is not known: of a file that is in no finished run, or of a fine-tuning with
 *   default arms
 */
export function weightsHistory(init: string, root: string, seen = new Set<string>()): (PastTraining | undefined)[] {
  if (init === 'random') return [];
  if (Object.hasOwn(weightWords, init)) return [{ data: [{ name: weightWords[init] }], splits: {}, supervised: true }];
  const run = runAround(resolve(root, init));
  if (run === undefined) return [undefined];
  if (seen.has(run)) return [];
  seen.add(run);
  const read = (name: string) => JSON.parse(readFileSync(join(run, name), 'utf8'));
  const { notebook, data, splits } = read('provenance.json') as Provenance;
  const { init: own } = read('parameters.json') as { init?: string };
  const isFineTuned = isFineTuning(notebook);
  const supervised =
    isFineTuned || pretrainingNotebooks().some((each) => each.notebook === notebook && each.supervised);
  const starts = isFineTuned ? own?.split(',').map((each) => each.trim()) : [own ?? 'random'];
  return [
    { data, splits, supervised },
    ...(starts?.flatMap((start) => weightsHistory(start, root, seen)) ?? [undefined]),
  ];
}

/** The nearest folder of a finished run that has a path in it, or is it. */
function runAround(path: string): string | undefined {
  if (existsSync(join(path, 'provenance.json'))) return path;
  const parent = dirname(path);
  return parent === path ? undefined : runAround(parent);
}

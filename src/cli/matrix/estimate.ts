import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { canonicalJson, projectRoot } from '../../base/index.js';
import { isFineTuning } from '../../experiments/index.js';
import { listRuns, type Provenance } from '../../runs/index.js';
import type { Job } from './expand.js';

/** What a job will take; undefined is not known. */
export interface Estimate {
  hours?: number;
  bytes?: number;
  /** Where it is from, if anything is known. */
  from: string;
}

interface PastRun {
  like: string;
  /** Of a fine-tuning for one arm. */
  hours: number;
  bytes: number;
}

/** Hours that the tables of the notebooks' first cells mean, at most, on two cores. */
const words: Readonly<Record<string, number>> = {
  'half a minute': 0.5 / 60,
  'a minute': 1 / 60,
  'a minute or two': 2 / 60,
};

/**
 * Estimates jobs: from the finished runs of the same notebook and parameters, whatever seed and first weights (the median;
 * of fine-tunings for each arm), or else from the time that the notebook's own page names, which is that of its default
 * arms. Nothing is guessed: a job of neither is not known.
 */
export function estimator(root = projectRoot): (job: Job) => Estimate {
  const past = listRuns(root).flatMap((folder) => pastRun(folder));
  return ({ notebook, parameters }) => {
    const arms = armsOf(notebook, parameters);
    const alike = past.filter(({ like }) => like === likeness(notebook, parameters));
    if (alike.length > 0 && arms !== undefined) {
      const [hours, bytes] = [median(alike.map((run) => run.hours)), median(alike.map((run) => run.bytes))];
      return {
        hours: arms * hours,
        bytes: arms * bytes,
        from: alike.length === 1 ? 'an earlier run' : `${alike.length} earlier runs`,
      };
    }
    const hours = isPlain(notebook, parameters)
      ? words[timeInPage(notebook, String(parameters.scale), root) ?? '']
      : undefined;
    return { hours, from: "the notebook's page" };
  };
}

/** Parameters that change a run's time little or not, other than by the number of arms. */
const free = ['seed', 'init', 'from', 'out'];

/** How many arms a fine-tuning trains, one after another: by default as many as it finds. Other runs count as one. */
function armsOf(notebook: string, { init }: Record<string, unknown>): number | undefined {
  if (!isFineTuning(notebook)) return 1;
  return typeof init === 'string' ? init.split(',').length : undefined;
}

/** Whether a run is as the notebook's page describes its scale. */
const isPlain = (notebook: string, parameters: Record<string, unknown>) =>
  Object.keys(parameters).every((key) => key === 'scale' || free.includes(key)) &&
  !(isFineTuning(notebook) && 'init' in parameters);

function likeness(notebook: string, parameters: Record<string, unknown>): string {
  const given = Object.entries(parameters).filter(([key, value]) => !free.includes(key) && value !== undefined);
  return canonicalJson([notebook, Object.fromEntries(given)]);
}

function pastRun(folder: string): PastRun[] {
  try {
    // Of a run that was interrupted, the time until its last beginning is not known.
    const log = readFileSync(join(folder, 'events.jsonl'), 'utf8');
    if (log.split('"kind":"opened"').length !== 2) return [];
    const read = (name: string) => JSON.parse(readFileSync(join(folder, name), 'utf8'));
    const { notebook, started, ended } = read('provenance.json') as Provenance;
    const hours = (Date.parse(ended) - Date.parse(started)) / 3_600_000;
    const parameters = read('parameters.json') as Record<string, unknown>;
    const arms = armsOf(notebook, parameters);
    if (arms === undefined) return [];
    return [{ like: likeness(notebook, parameters), hours: hours / arms, bytes: sizeOf(folder) / arms }];
  } catch {
    // Unfinished, or not readable: the gallery says so.
    return [];
  }
}

/** Bytes of the files in a folder. */
function sizeOf(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
}

/** What the table of a notebook's first cell says of a scale's time. */
function timeInPage(notebook: string, scale: string, root: string): string | undefined {
  const path = join(root, 'notebooks', `${basename(notebook)}.ipynb`);
  if (!existsSync(path)) return undefined;
  const { cells } = JSON.parse(readFileSync(path, 'utf8')) as { cells: { source: string | string[] }[] };
  const text = [cells[0]?.source ?? ''].flat().join('');
  return new RegExp(`^\\| \`${scale}\` \\|.*\\| (.+?) \\|$`, 'm').exec(text)?.[1];
}

import { join } from 'node:path';
import { dataGroups, resultsFrame, tableCsv } from '../../report/index.js';
import type { Metric, Provenance } from '../../runs/index.js';
import { readOfRun } from '../finished-run.js';
import { runNames } from './site-files.js';

/** A number of a site, with what made it. */
export interface Result {
  /** Name of the run's folder in `runs/`. */
  run: string;
  runHash: string;
  notebook: string;
  scale: string;
  seed: number | string;
  parameters: Readonly<Record<string, unknown>>;
  /** Whether cells were run that are not the notebook's. */
  edited: boolean;
  /** SHA-256 of code and data definitions. */
  hashes: Readonly<Record<string, string>>;
  /** What it read: a file, or several by the SHA-256 of the list of theirs in `provenance.json`. */
  data: readonly { name: string; files: number; sha256: string }[];
  metric: string;
  value: number;
  /** 95 % interval. */
  interval: readonly [low: number, high: number] | null;
  unit: string | null;
  about: string | null;
}

/** The numbers of the runs in a site's folder, in the order of names and of each run's `metrics.json`. */
export function resultsIn(site: string): Result[] {
  return runNames(site).flatMap((run) => resultsOf(site, run));
}

/**
 * The numbers of one of the runs.
 *
 * @throws UsageError that names a file that cannot be read
 */
export function resultsOf(site: string, run: string): Result[] {
  const folder = join(site, 'runs', run);
  const { notebook, scale, seed, runHash, hashes, edited, data } = readOfRun<Provenance>(folder, 'provenance.json');
  const { metrics } = readOfRun<{ metrics: readonly Metric[] }>(folder, 'metrics.json');
  const parameters = readOfRun<Record<string, unknown>>(folder, 'parameters.json');
  const of = { run, runHash, notebook, scale, seed, parameters, edited: edited.length > 0, hashes };
  const groups = dataGroups(data).map(({ name, files, sha256 }) => ({ name, files, sha256 }));
  return metrics.map(({ name, value, interval = null, unit = null, about = null }) => {
    return { ...of, data: groups, metric: name, value, interval, unit, about };
  });
}

/** The same as CSV in long form, a row a number; what is none is empty. */
export async function resultsCsv(results: readonly Result[]): Promise<string> {
  const rows = results.map(({ run, runHash, notebook, scale, seed, parameters, edited, data, ...number }) => ({
    ...{ run, notebook, scale, seed: String(seed), metric: number.metric, value: number.value },
    ...{ low: number.interval?.[0] ?? '', high: number.interval?.[1] ?? '', unit: number.unit ?? '' },
    ...{ about: number.about ?? '', parameters: JSON.stringify(parameters), edited, runHash },
    data: data.map(({ name, sha256 }) => `${name} ${sha256}`).join('; '),
  }));
  return tableCsv(await resultsFrame(rows));
}

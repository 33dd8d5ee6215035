import { InterruptedError } from '../base/index.js';
import type { PatchSplit, ShardDataset } from '../datasets/index.js';
import type { Metric } from '../runs/index.js';
import { type FinishedRun, readOfRun } from './finished-run.js';

/** What a check of a run found. */
export interface Finding {
  what: string;
  holds: boolean;
  found: string;
}

/** Percentage points. Rounding differs between machines. */
export const tolerance = 0.5;

/** The same for metrics of so many patches: rounding may change the class of one, which is always allowed. */
export const toleranceOf = (patches: number) => Math.max(tolerance, 100 / patches) + 1e-9;

/** A check that could not be made. */
export function notChecked(what: string, error: unknown): Finding {
  if (error instanceof InterruptedError) throw error;
  return { what, holds: false, found: `not checked: ${(error as Error).message}` };
}

/** Whether data and split are a run's. */
export function* dataFindings(
  run: FinishedRun,
  { dataset, split }: { dataset: ShardDataset; split: PatchSplit },
): Generator<Finding> {
  const { indexSha256, report } = dataset;
  const isSame = run.data.some(({ sha256 }) => sha256 === indexSha256);
  yield { what: `patches of ${report.dataset}`, holds: isSame, found: isSame ? 'unchanged' : 'different' };
  const [kept] = Object.values(run.splits);
  yield { what: 'split', holds: kept === split.sha256, found: kept === split.sha256 ? 'unchanged' : 'different' };
}

/** Whether metrics, computed again, are a run's, to so many points; where they have an interval, its ends too. */
export function* metricFindings(run: FinishedRun, again: readonly Metric[], points: number): Generator<Finding> {
  const { metrics } = readOfRun<{ metrics: Metric[] }>(run.folder, 'metrics.json');
  for (const { name, value, unit = '', interval = [] } of again) {
    const kept = metrics.find((metric) => metric.name === name);
    const theirs = kept && [kept.value, ...(interval.length > 0 ? (kept.interval ?? []) : [])];
    yield numbersFinding({ what: name, unit, points }, [value, ...interval], theirs ?? []);
  }
}

/** Whether numbers, a value and perhaps the ends of its interval, are the run's; null is none. */
export function numbersFinding(
  { what, unit, points }: { what: string; unit: string; points: number },
  now: readonly (number | null)[],
  then: readonly (number | null)[],
): Finding {
  const words = ([value = null, ...ends]: readonly (number | null)[]) =>
    value === null ? 'none' : `${value}${ends.length > 0 ? ` (${ends.join(' to ')})` : ''}`;
  const isSame = words(now) === words(then);
  const isClose = now.every((value, place) => Math.abs((value ?? Number.NaN) - (then[place] ?? Number.NaN)) <= points);
  const outcome = isSame
    ? 'reproduced'
    : isClose
      ? `within the tolerance of the run's ${words(then)}`
      : `but the run has ${words(then)}`;
  return { what, holds: isSame || isClose, found: `${words(now)} ${unit}, ${outcome}` };
}

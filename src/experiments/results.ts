import { canonicalJson, projectRoot } from '../base/index.js';
import { checkParameter } from './check-parameter.js';
import { isPretraining } from './pretrain.js';
import type { Scale } from './pretrain-recipe.js';
import { groupResults, type ResultGroup } from './results-groups.js';
import { type MissingCells, missingCells } from './results-missing.js';
import { defaultFrom, digestOfRuns, type LeftOut, type ResultRun, readResultRuns } from './results-runs.js';

/** The notebook of results. */
export const resultsNotebook = '40-results';
/** The hash in its provenance of the runs that it read. */
export const runsReadHash = 'runs that were read';

export interface ResultsParameters {
  /** Of the missing cells; runs of all scales are in the tables, each in columns of its own. */
  scale: Scale;
  /** Runs or folders with runs, with commas between; by default `results`. */
  from?: string;
  /** Of the bootstrap. */
  seed?: number;
}

/** All that the tables are made of. */
export interface Results {
  scale: Scale;
  seed: number;
  /** Of pretrainings and fine-tunings, sorted. */
  runs: readonly ResultRun[];
  groups: readonly ResultGroup[];
  leftOut: readonly LeftOut[];
  missing: readonly MissingCells[];
  /** For the identity of a run of the notebook: an unchanged set of runs makes the same run. */
  inputs: Record<string, string>;
}

/**
 * Gathers the runs of folders, and groups what can be compared.
 *
 * @throws RangeError for a wrong parameter, and for a folder that is not there
 */
export async function gatherResults(parameters: ResultsParameters, root = projectRoot): Promise<Results> {
  const { scale, seed = 1 } = parameters;
  checkParameter('scale', scale, (each) => ['smoke', 'demo', 'paper'].includes(each), 'smoke, demo or paper');
  checkParameter('seed', seed, Number.isSafeInteger, 'a whole number');
  const { runs, leftOut } = await readResultRuns(foldersOf(parameters), root);
  const { groups, leftOut: others } = await groupResults(runs);
  const latest = latestPretrainings(runs);
  const older = runs
    .filter((run) => !latest.includes(run))
    .map(({ id }) => ({ name: id, reason: 'a later pretraining has the same parameters and data' }));
  return {
    ...{ scale, seed, runs: latest, groups, leftOut: [...leftOut, ...older, ...others] },
    missing: missingCells(scale, groups, latest, root),
    inputs: inputsOf({ runs, leftOut }),
  };
}

/** The inputs of a run of the notebook, without reading predictions. */
export async function resultsInputs(
  parameters: ResultsParameters,
  root = projectRoot,
): Promise<Record<string, string>> {
  return inputsOf(await readResultRuns(foldersOf(parameters), root));
}

/** Runs without pretrainings that a later one repeats, with other code; fine-tunings may have begun with them. */
function latestPretrainings(runs: readonly ResultRun[]): ResultRun[] {
  const keyOf = ({ notebook, parameters, provenance: { data, splits, runHash } }: ResultRun) =>
    canonicalJson(isPretraining(notebook) ? [notebook, parameters, data, splits] : runHash);
  return [...new Map(runs.map((run) => [keyOf(run), run])).values()];
}

function foldersOf({ from = defaultFrom }: ResultsParameters): string[] {
  const folders = from.split(',').map((each) => each.trim());
  checkParameter('from', folders, (each) => !each.includes(''), 'runs or folders with runs, with commas between');
  return folders;
}

const inputsOf = (found: Parameters<typeof digestOfRuns>[0]) => ({ [runsReadHash]: digestOfRuns(found) });

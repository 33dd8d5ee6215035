import { type ResultsParameters, resultsInputs, resultsNotebook } from '../experiments/index.js';
import { runIdentity } from '../runs/index.js';
import type { FinishedRun } from './finished-run.js';

/**
 * What the hashes in a run's provenance would be now: of its code, and of the runs that a page of results reads.
 *
 * @param options.inputs false to leave out the runs that a page reads, which are not at hand for a copy elsewhere
 */
export async function hashesNow(
  { notebook, parameters }: FinishedRun,
  { inputs = true }: { inputs?: boolean } = {},
): Promise<Record<string, string>> {
  const isPage = notebook === resultsNotebook && inputs;
  const read = isPage ? await resultsInputs(parameters as unknown as ResultsParameters) : {};
  return runIdentity(notebook, parameters, undefined, read).hashes;
}

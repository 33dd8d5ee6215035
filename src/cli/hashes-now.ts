import { type ResultsParameters, resultsInputs, resultsNotebook } from '../experiments/index.js';
import { runIdentity } from '../runs/index.js';
import type { FinishedRun } from './finished-run.js';

/** What the hashes in a run's provenance would be now: of its code, and of the runs that a page of results reads. */
export async function hashesNow({ notebook, parameters }: FinishedRun): Promise<Record<string, string>> {
  const isResults = notebook === resultsNotebook;
  const inputs = isResults ? await resultsInputs(parameters as unknown as ResultsParameters) : {};
  return runIdentity(notebook, parameters, undefined, inputs).hashes;
}

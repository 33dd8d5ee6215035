import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../base/index.js';
import { resultsNotebook } from '../../experiments/index.js';
import { openNotebook, resolveParameters } from '../notebooks.js';
import { folderFor } from '../run.js';
import { UsageError } from '../usage-error.js';
import type { Job } from './expand.js';

/**
 * How far a run is: `finished`; `without a page`, when it was killed after its last result and before its page;
 * `unfinished`, which goes on from its checkpoints; `new`.
 */
export type JobState = 'finished' | 'without a page' | 'unfinished' | 'new';

/** Where the run of a job is; undefined while the runs that a page of results reads are not there. */
export async function folderOfJob(
  { notebook, parameters, folder }: Job,
  root = projectRoot,
): Promise<string | undefined> {
  if (notebook !== resultsNotebook) return folder;
  try {
    return await folderFor(notebook, resolveParameters(openNotebook(notebook, root), parameters), root);
  } catch (error) {
    if (error instanceof UsageError) return undefined;
    throw error;
  }
}

export async function stateOfJob(job: Job, root = projectRoot): Promise<JobState> {
  const folder = await folderOfJob(job, root);
  return folder === undefined ? 'new' : stateOf(folder);
}

/** The jobs that are not finished. */
export async function unfinishedJobs(jobs: readonly Job[], root = projectRoot): Promise<Job[]> {
  const states = await Promise.all(jobs.map((job) => stateOfJob(job, root)));
  return jobs.filter((_, place) => states[place] !== 'finished');
}

/** The state of a run, from its folder alone. */
export function stateOf(folder: string): JobState {
  const has = (name: string) => existsSync(join(folder, name));
  // A run is finished by its provenance; a notebook that opens no run, by the runner's word.
  const isKept = has('provenance.json') || statusOf(folder) === 'finished';
  if (isKept) return has('notebook.html') || !has('notebook.ipynb') ? 'finished' : 'without a page';
  return existsSync(folder) ? 'unfinished' : 'new';
}

/** The status that the runner has written into the executed notebook, after its end. */
function statusOf(folder: string): string | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, 'notebook.ipynb'), 'utf8')).metadata?.pathlab?.status;
  } catch {
    return undefined;
  }
}

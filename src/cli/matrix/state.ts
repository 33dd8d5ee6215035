import { existsSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { projectRoot } from '../../base/index.js';
import { resultsNotebook } from '../../experiments/index.js';
import { openNotebook, resolveParameters } from '../notebooks.js';
import { folderFor } from '../run.js';
import { UsageError } from '../usage-error.js';
import type { Job } from './expand.js';

/**
 * How far a run is: `finished`; `without a page`, when it was stopped or killed after its last result and before its page
 * was whole; `unfinished`, which goes on from its checkpoints; `new`.
 */
export type JobState = 'finished' | 'without a page' | 'unfinished' | 'new';

/** Where the run of a job is; undefined while no run that a page of results reads is there. */
export async function folderOfJob(job: Job, root = projectRoot): Promise<string | undefined> {
  const { notebook, folder } = job;
  if (notebook !== resultsNotebook) return folder;
  try {
    const { parameters } = withoutMissing(job, root);
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

/**
 * What a job runs with: a page of results is not asked for the matrix's runs that have no folder, since they failed early
 * or were not begun. Without any of them it stays as it is.
 */
export function withoutMissing(
  { notebook, parameters, after }: Job,
  root = projectRoot,
): Pick<Job, 'parameters'> & { missing: string[] } {
  const { from } = parameters;
  if (notebook !== resultsNotebook || typeof from !== 'string') return { parameters, missing: [] };
  const asked = from.split(',');
  const missing = asked.filter((each) => after.includes(basename(each)) && !existsSync(resolve(root, each)));
  if (missing.length === 0 || missing.length === asked.length) return { parameters, missing: [] };
  return { parameters: { ...parameters, from: asked.filter((each) => !missing.includes(each)).join() }, missing };
}

/** The jobs that are not finished, and the pages of results that will show one of them. */
export async function jobsToRun(jobs: readonly Job[], root = projectRoot): Promise<Job[]> {
  const open = new Set(await unfinishedJobs(jobs, root));
  const ids = new Set([...open].map(({ id }) => id));
  const willChange = ({ notebook, after }: Job) => notebook === resultsNotebook && after.some((id) => ids.has(id));
  return jobs.filter((job) => open.has(job) || willChange(job));
}

/** The jobs that are not finished. */
export async function unfinishedJobs(jobs: readonly Job[], root = projectRoot): Promise<Job[]> {
  const states = await Promise.all(jobs.map((job) => stateOfJob(job, root)));
  return jobs.filter((_, place) => states[place] !== 'finished');
}

/** The state of a run, from the folders of its attempts alone. */
export function stateOf(first: string): JobState {
  const folder = attemptOf(first);
  const has = (name: string) => existsSync(join(folder, name));
  const status = statusOf(folder);
  // A run is finished by its provenance; a notebook that opens no run, by the runner's word.
  if (!has('provenance.json') && status !== 'finished') return existsSync(folder) ? 'unfinished' : 'new';
  if (!has('notebook.ipynb')) return 'finished';
  return has('notebook.html') && status === 'finished' ? 'finished' : 'without a page';
}

/** The folder of a run's attempt that counts: the first whose notebook did not fail after its last result. */
export function attemptOf(first: string): string {
  for (let attempt = 1; ; attempt++) {
    const folder = attempt === 1 ? first : `${first}-${attempt}`;
    if (!existsSync(join(folder, 'provenance.json')) || statusOf(folder) !== 'failed') return folder;
  }
}

interface ExecutedNotebook {
  cells?: { outputs?: { output_type: string }[] }[];
  metadata?: { pathlab?: { status?: string } };
}

/** How an executed notebook ended: `failed` with an error in it, or else what the runner has written into it at its end. */
function statusOf(folder: string): string | undefined {
  try {
    const { cells, metadata } = JSON.parse(readFileSync(join(folder, 'notebook.ipynb'), 'utf8')) as ExecutedNotebook;
    const outputs = cells?.flatMap((cell) => cell.outputs ?? []) ?? [];
    return outputs.some((output) => output.output_type === 'error') ? 'failed' : metadata?.pathlab?.status;
  } catch {
    return undefined;
  }
}

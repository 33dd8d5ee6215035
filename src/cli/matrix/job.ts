import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { writeFileAtomic } from '../../base/index.js';
import { writeGallery } from '../../report/index.js';
import { lockFolder, runFolderFor } from '../../runs/index.js';
import { openNotebook, resolveParameters } from '../notebooks.js';
import { finishPage, folderFor, type NotebookRun, runNotebook } from '../run.js';
import { describeJob, type Job } from './expand.js';
import { attemptOf, stateOfJob, withoutMissing } from './state.js';

/** What the jobs of a matrix read, wherever they run. */
export interface JobList {
  root: string;
  /** Those that are not finished, in order. */
  jobs: readonly Job[];
  /** Those of a job that does not say. */
  cores: number;
  /** On a cluster: whether a job waits for another that writes its run, such as one of a matrix whose command is gone. */
  waits: boolean;
  /** What runs a job, before its id. */
  command: readonly string[];
}

/** How a job ended; a job that was killed leaves none. */
export interface JobEnd {
  status: NotebookRun['status'];
  page?: string;
  error?: string;
}

/** Where a matrix in the folder `work` has what its jobs leave. */
export const endFile = (work: string, id: string) => join(work, 'ends', `${id}.json`);
export const doneFile = (work: string, id: string) => join(work, 'done', id);

/**
 * Runs one job of a matrix, renews the gallery, and writes how it ended; Snakemake calls it, and on a cluster again after a
 * failure. What was interrupted or killed then goes on; an error of the run's own would come again, and is only said.
 *
 * @param file the job list, in the matrix's folder
 * @returns the exit code
 */
export async function runJob(file: string, id: string): Promise<number> {
  const work = dirname(file);
  const { jobs, root, waits } = JSON.parse(readFileSync(file, 'utf8')) as JobList;
  const job = jobs.find((each) => each.id === id)!;
  console.log(`\n== ${jobs.indexOf(job) + 1} of ${jobs.length}: ${describeJob(job)} ==`);
  const before = endBefore(endFile(work, id));
  if (before?.status === 'failed') {
    const where = before.page ? `see ${relative(root, before.page)}` : 'see the output of the first try';
    console.error(`it has failed and is not tried again: ${before.error ?? where}`);
    return 1;
  }
  const end = await ended(job, root, waits);
  if (end.error) console.error(end.error);
  await writeFileAtomic(endFile(work, id), JSON.stringify(end));
  const gallery = await writeGallery({ root });
  if (end.status === 'finished') await writeFile(doneFile(work, id), '');
  console.log(`${job.notebook} ${end.status}\ngallery     ${relative(root, gallery)}`);
  return { finished: 0, failed: 1, interrupted: 130 }[end.status];
}

/** How an earlier try of a job ended; undefined if there was none, or it was killed. */
function endBefore(path: string): JobEnd | undefined {
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as JobEnd) : undefined;
}

async function ended(job: Job, root: string, waits: boolean): Promise<JobEnd> {
  const { id, notebook: name } = job;
  try {
    const notebook = openNotebook(name, root);
    const { parameters, missing } = withoutMissing(job, root);
    if (missing.length > 0) console.log(`without runs that are not there: ${missing.join(', ')}`);
    const resolved = resolveParameters(notebook, parameters);
    const folder = attemptOf(await folderFor(name, resolved, root));
    await waitUntilFree(folder, waits ? Number.POSITIVE_INFINITY : 60);
    const state = await stateOfJob(job, root);
    if (state === 'finished') return { status: 'finished' };
    if (state === 'without a page') return { status: 'finished', page: await finishPage(folder) };
    // By the parameters of the matrix, whichever runs a page of results finds.
    if (basename(runFolderFor(name, resolveParameters(notebook, job.parameters), root)) !== id) {
      throw new Error('the code has changed since the matrix began: this run would be another; start the matrix again');
    }
    const { status, page } = await runNotebook(name, parameters, root);
    return { status, page: page && existsSync(page) ? page : undefined };
  } catch (error) {
    return { status: 'failed', error: (error as Error).message };
  }
}

/**
 * Waits for what a killed matrix has left: the kernel of a run still saves its work, or on a cluster the whole job goes on,
 * and nobody else may write then.
 *
 * @throws Error that names who writes there, after `seconds`
 */
async function waitUntilFree(folder: string, seconds: number): Promise<void> {
  if (!existsSync(folder)) return;
  for (const part of ['page', 'run'] as const) {
    for (let waited = 0; ; waited++) {
      try {
        await (await lockFolder(folder, part)).release();
        break;
      } catch (error) {
        // What the system refuses, it refuses again.
        if (waited >= seconds || 'code' in (error as Error)) throw error;
        if (waited === 0) console.log((error as Error).message);
        await pause(1000);
      }
    }
  }
}

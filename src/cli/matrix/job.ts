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
 * Runs one job of a matrix, renews the gallery, and writes how it ended; Snakemake calls it.
 *
 * @param file the job list, in the matrix's folder
 * @returns the exit code
 */
export async function runJob(file: string, id: string): Promise<number> {
  const work = dirname(file);
  const { jobs, root } = JSON.parse(readFileSync(file, 'utf8')) as JobList;
  const job = jobs.find((each) => each.id === id)!;
  console.log(`\n== ${jobs.indexOf(job) + 1} of ${jobs.length}: ${describeJob(job)} ==`);
  const end = await ended(job, root);
  if (end.error) console.error(end.error);
  await writeFileAtomic(endFile(work, id), JSON.stringify(end));
  const gallery = await writeGallery({ root });
  if (end.status === 'finished') await writeFile(doneFile(work, id), '');
  console.log(`${job.notebook} ${end.status}\ngallery     ${relative(root, gallery)}`);
  return { finished: 0, failed: 1, interrupted: 130 }[end.status];
}

async function ended(job: Job, root: string): Promise<JobEnd> {
  const { id, notebook: name } = job;
  try {
    const notebook = openNotebook(name, root);
    const { parameters, missing } = withoutMissing(job, root);
    if (missing.length > 0) console.log(`without runs that are not there: ${missing.join(', ')}`);
    const resolved = resolveParameters(notebook, parameters);
    const folder = attemptOf(await folderFor(name, resolved, root));
    await waitUntilFree(folder);
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

/** Waits for what a killed matrix has left: the kernel of a run still saves its work, and nobody else may write then. */
async function waitUntilFree(folder: string): Promise<void> {
  if (!existsSync(folder)) return;
  for (const part of ['page', 'run'] as const) {
    for (let tries = 60; ; tries--) {
      try {
        await (await lockFolder(folder, part)).release();
        break;
      } catch (error) {
        if (tries === 0) throw error;
        if (tries === 60) console.log((error as Error).message);
        await pause(1000);
      }
    }
  }
}

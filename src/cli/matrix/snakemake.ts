import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readdirSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { projectRoot, writeFileAtomic } from '../../base/index.js';
import { jupyterEnvironment, onStopSignals, pythonProgram } from '../papermill.js';
import { UsageError } from '../usage-error.js';
import type { Job } from './expand.js';
import type { JobList } from './job.js';

const files = join(projectRoot, 'kernel-setup', 'python', 'matrix');

/** The folder of a Snakemake profile: `slurm` is pathlab's own. */
export function profileFolder(profile: string): string {
  const folder = profile === 'slurm' ? join(files, 'slurm') : resolve(profile);
  if (existsSync(join(folder, 'config.yaml'))) return folder;
  throw new UsageError(`--profile takes slurm or the folder of a Snakemake profile; ${folder} has no config.yaml`);
}

/**
 * Runs jobs through Snakemake to their end, each after those that it needs or comes after; a failure stops those. How each
 * ended is in `endFile`.
 *
 * Ctrl-C goes to Snakemake and to the jobs on this machine, whose trainings save a checkpoint; on a cluster Snakemake
 * cancels them. A second one stops their kernels, a fourth one kills. No process is left when this returns.
 *
 * @param work the matrix's folder, for what Snakemake and the jobs write
 * @returns whether it was interrupted
 */
export async function runWithSnakemake(
  jobs: readonly Job[],
  { work, root, profile }: { work: string; root: string; profile: string | undefined },
): Promise<boolean> {
  // Which runs are finished is not for Snakemake to know: it gets the others, and starts from nothing.
  for (const old of ['done', '.snakemake/incomplete', '.snakemake/metadata'])
    await rm(join(work, old), { recursive: true, force: true });
  for (const each of ['done', 'ends']) await mkdir(join(work, each), { recursive: true });
  const list = join(work, 'jobs.json');
  const pathlab = join(projectRoot, 'kernel-setup', 'pathlab.mjs');
  const command = [process.execPath, pathlab, 'run', '--matrix', '--job', list];
  const listed = profile ? jobs : jobs.map(withOneGpu);
  const cores = profile ? 1 : availableParallelism();
  await writeFileAtomic(
    list,
    JSON.stringify({ root, jobs: listed, command, cores, waits: profile !== undefined } satisfies JobList),
  );
  // Here the terminal is for what the jobs say, and Snakemake's words are in a log.
  const log = openSync(join(work, 'snakemake.log'), 'w');
  const child = spawn(
    pythonProgram('snakemake'),
    [
      ...['--snakefile', join(files, 'Snakefile'), '--directory', work, '--workflow-profile', 'none'],
      ...['--keep-going', '--nolock', '--scheduler', 'greedy', '--nocolor'],
      ...['--quiet', 'rules', 'progress', 'host', 'reason'],
      ...(profile ? ['--profile', profileFolder(profile)] : ['--cores', String(cores), '--resources', 'gpu=1']),
    ],
    {
      stdio: ['ignore', 'inherit', profile ? 'inherit' : log],
      // A process group of its own, which gets each signal once.
      detached: true,
      env: { ...jupyterEnvironment(), SNAKEMAKE_PROFILE: undefined, PATHLAB_MATRIX_HEAD: String(process.pid) },
    },
  );
  let interrupts = 0;
  const stopListening = onStopSignals(() => {
    interrupts++;
    signalGroup(child.pid!, interrupts < 4 ? 'SIGINT' : 'SIGKILL');
  });
  try {
    await new Promise((end, reject) => child.once('exit', end).once('error', reject));
    // If Snakemake was killed, its jobs notice and save their work first.
    while (signalGroup(child.pid!, 0)) await pause(200);
    return interrupts > 0;
  } finally {
    stopListening();
    closeSync(log);
  }
}

/** On one machine, jobs that ask for GPUs run one at a time: each would take the first. */
function withOneGpu(job: Job): Job {
  return { ...job, resources: { ...job.resources, gpus: Math.min(1, job.resources.gpus ?? 0) } };
}

/** @returns whether the group has a process */
function signalGroup(leader: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-leader, signal);
  } catch {
    return false;
  }
}

/** Snakemake's log in a matrix's folder; on a cluster, where its words are on the terminal, its own. */
export function snakemakeLog(work: string, profile: string | undefined): string | undefined {
  if (!profile) return join(work, 'snakemake.log');
  const folder = join(work, '.snakemake', 'log');
  const name = existsSync(folder) ? readdirSync(folder).sort().at(-1) : undefined;
  return name && join(folder, name);
}

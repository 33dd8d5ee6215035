import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { basename, extname, join, relative } from 'node:path';
import { FileLock, projectRoot } from '../../base/index.js';
import { writeGallery } from '../../report/index.js';
import { parseOptions } from '../options.js';
import { UsageError } from '../usage-error.js';
import { describeJob, expandMatrix, type Job } from './expand.js';
import { endFile, type JobEnd, runJob } from './job.js';
import { printPlan } from './print-plan.js';
import { readMatrix } from './read.js';
import { profileFolder, runWithSnakemake, snakemakeLog } from './snakemake.js';
import { jobsToRun, stateOfJob, unfinishedJobs } from './state.js';

const help = `npm run notebook -- --matrix FILE [options]

Runs a matrix of notebooks through Snakemake: one job a run, each after those it needs. FILE is YAML, as those in
experiments/ (see environment.md). Finished runs are taken as they are; the others begin or go on from their checkpoints. A
failure stops only the runs that need its result. The exit code is 0 only if every run is finished.

  --dry-run           only prints the runs in order, which are finished, and what the others take in time and on disk
  --profile PROFILE   a folder with a Snakemake profile, or slurm: the one in kernel-setup/python/matrix/
                      (by default this machine)
`;

/** `npm run notebook -- --matrix FILE`; returns the exit code. */
export async function main(args: readonly string[], root = projectRoot): Promise<number> {
  const { values, positionals } = parseOptions('run --matrix', {
    args: [...args],
    allowPositionals: true,
    options: {
      'dry-run': { type: 'boolean' },
      profile: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
      // How Snakemake calls a job: the job list, and the job's id.
      job: { type: 'string' },
    },
  });
  if (values.help) {
    console.log(help);
    return 0;
  }
  const [file, ...others] = positionals;
  if (file === undefined || others.length > 0) throw new UsageError('--matrix takes one FILE (see --matrix --help)');
  if (values.job !== undefined) return runJob(values.job, file);
  const jobs = expandMatrix(readMatrix(file), root);
  if (values['dry-run']) {
    await printPlan(jobs, root);
    return 0;
  }
  if (values.profile !== undefined) profileFolder(values.profile);
  const work = join(root, 'results', 'matrix', basename(file, extname(file)));
  await mkdir(work, { recursive: true });
  const lock = await FileLock.require(join(work, '.lock'), `the matrix ${file} is being run`).catch((error: Error) => {
    throw new UsageError(error.message);
  });
  try {
    return await runMatrix(file, jobs, { work, root, profile: values.profile });
  } finally {
    await lock.release();
  }
}

async function runMatrix(
  file: string,
  jobs: readonly Job[],
  { work, root, profile }: { work: string; root: string; profile: string | undefined },
): Promise<number> {
  const left = await jobsToRun(jobs, root);
  console.log(`${file}: ${jobs.length} runs, ${jobs.length - left.length} of them finished before`);
  console.log(`gallery     ${relative(process.cwd(), await writeGallery({ root }))}`);
  await rm(join(work, 'ends'), { recursive: true, force: true });
  const interrupted = await runInRounds(left, { work, root, profile });
  const open = await unfinishedJobs(left, root);
  console.log(`\n${jobs.length - open.length} of ${jobs.length} runs are finished`);
  for (const job of open) console.error(`  ${await endOf(job, open, { work, root, interrupted })}`);
  if (open.length > 0) {
    const log = snakemakeLog(work, profile);
    if (!interrupted && log && left.every(({ id }) => !existsSync(endFile(work, id))))
      console.error(`No run was begun. The last words of Snakemake:\n${readFileSync(log, 'utf8').slice(-2000)}`);
    if (log) console.error(`Snakemake's log: ${shown(log)}`);
    console.error(`To go on: npm run notebook -- --matrix ${file}${profile ? ` --profile ${profile}` : ''}`);
  }
  console.log(`gallery     ${relative(process.cwd(), await writeGallery({ root }))}`);
  if (interrupted) return 130;
  return open.length > 0 ? 1 : 0;
}

/**
 * Runs jobs: those that only come after one that failed, in a further round, since Snakemake begins nothing after a failure.
 *
 * @returns whether it was interrupted
 */
async function runInRounds(
  jobs: readonly Job[],
  options: { work: string; root: string; profile: string | undefined },
): Promise<boolean> {
  const lost = new Set<string>();
  for (let next = jobs; next.length > 0; ) {
    if (await runWithSnakemake(next, options)) return true;
    const open = await jobsToRun(next, options.root);
    const ids = new Set(open.map(({ id }) => id));
    // In order, so that what needs a lost one is lost too. Those with nothing open before them had their turn.
    for (const { id, needs, after } of open)
      if (needs.some((other) => lost.has(other)) || ![...needs, ...after].some((other) => ids.has(other))) lost.add(id);
    next = open.filter(({ id }) => !lost.has(id));
  }
  return false;
}

/** What became of a job that is not finished, in one line. */
async function endOf(
  job: Job,
  open: readonly Job[],
  { work, root, interrupted }: { work: string; root: string; interrupted: boolean },
): Promise<string> {
  const name = describeJob(job);
  const path = endFile(work, job.id);
  if (existsSync(path)) {
    const { status, page, error } = JSON.parse(readFileSync(path, 'utf8')) as JobEnd;
    return `${status}: ${name}: ${error ?? (page ? `see ${shown(page)}` : 'it has no page; see the output above')}`;
  }
  const before = open.filter(({ id }) => job.needs.includes(id));
  if (before.length > 0) return `not begun: ${name}: it needs ${before.map(({ id }) => id).join(', ')}`;
  if (interrupted) return `${(await stateOfJob(job, root)) === 'new' ? 'not begun' : 'interrupted'}: ${name}`;
  return `killed: ${name}: it has left no word, in ${shown(job.folder)}; was there too little memory, or time?`;
}

const shown = (path: string) => relative(process.cwd(), path);

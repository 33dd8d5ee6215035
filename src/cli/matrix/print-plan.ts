import { mkdir, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { type Estimate, estimator } from './estimate.js';
import { describeJob, type Job } from './expand.js';
import { jobsToRun, stateOfJob } from './state.js';

/** Prints the jobs of a matrix in order: which are finished, and what the others take in time and on disk. */
export async function printPlan(jobs: readonly Job[], root: string): Promise<void> {
  const estimate = estimator(root);
  const open: Estimate[] = [];
  const toRun = new Set(await jobsToRun(jobs, root));
  for (const [place, job] of jobs.entries()) {
    const before = await stateOfJob(job, root);
    // A page of results whose runs are not all finished will be another one.
    const state = before === 'finished' && toRun.has(job) ? 'new' : before;
    const { hours, bytes, from } = estimate(job);
    const isOpen = state === 'new' || state === 'unfinished';
    if (isOpen) open.push({ hours, bytes, from });
    const takes = [
      hours === undefined ? inHours() : `${inHours(hours)} (${from})`,
      `disk ${inBytes(bytes)}`,
      ...limits(job),
    ].join(', ');
    console.log(`${String(place + 1).padStart(3)}  ${describeJob(job)}`);
    console.log(`     ${state}${isOpen ? `: time ${takes}` : ''}`);
    const others = [...job.after, ...job.needs].map((other) => jobs.findIndex(({ id }) => id === other) + 1);
    if (others.length > 0) console.log(`     after ${others.join(', ')}`);
  }
  await mkdir(join(root, 'results'), { recursive: true });
  const { bavail, bsize } = await statfs(join(root, 'results'));
  console.log(`\n${jobs.length} runs, ${jobs.length - toRun.size} of them finished`);
  console.log(`time   ${total(open, 'hours', inHours)}, one after another`);
  console.log(`disk   ${total(open, 'bytes', inBytes)} in results/; ${inBytes(bavail * bsize)} are free`);
}

/** The sum of what is known, and of how many it is not. */
function total(estimates: readonly Estimate[], what: 'hours' | 'bytes', words: (sum?: number) => string): string {
  const known = estimates.flatMap((each) => each[what] ?? []);
  const unknown = estimates.length - known.length;
  const sum = known.reduce((before, value) => before + value, 0);
  if (unknown === 0) return words(sum);
  return known.length === 0 ? words() : `${words(sum)} for ${known.length} runs, not known for ${unknown}`;
}

function limits({ resources: { cores, gpus, hours, memory } }: Job): string[] {
  const asked = [
    cores && `${cores} cores`,
    gpus && `${gpus} ${gpus > 1 ? 'GPUs' : 'GPU'}`,
    hours && `at most ${hours} h`,
    memory && `${memory} GB of memory`,
  ].filter(Boolean);
  return asked.length > 0 ? [`asks for ${asked.join(', ')}`] : [];
}

function inHours(hours?: number): string {
  if (hours === undefined) return 'not known';
  return hours < 1 ? `${Number((60 * hours).toPrecision(2))} min` : `${Number(hours.toPrecision(3))} h`;
}

function inBytes(bytes?: number): string {
  if (bytes === undefined) return 'not known';
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(0)} MB` : `${(bytes / 1e9).toPrecision(3)} GB`;
}

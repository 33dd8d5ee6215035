import { setTimeout } from 'node:timers/promises';
import { LostWorkerError, sumOfProcesses } from '../engine/index.js';

/** Between signs of life of a process that works while others wait, ms. */
const lifeSignInterval = 500;

/** What the first process tells the others while it works. */
const state = { busy: 0, done: 1, failed: 2 };

/** The first process's part of `first`: with signs of life, so that it is still found after the timeout if it hangs. */
export async function leading(work: () => Promise<number>): Promise<number> {
  const job = begin(work);
  while (!job.isOver) {
    await sumOfProcesses(state.busy);
    await job.overOrSoon();
  }
  try {
    const result = await job.outcome;
    await sumOfProcesses(state.done);
    return await sumOfProcesses(result);
  } catch (error) {
    if (job.hasFailed) await sumOfProcesses(state.failed);
    throw error;
  }
}

/** The others' part. */
export async function following(): Promise<number> {
  let told = state.busy;
  while (told === state.busy) told = await sumOfProcesses(0);
  if (told === state.failed)
    throw new LostWorkerError('the first worker failed while the others waited for it; its error says why');
  return sumOfProcesses(0);
}

/** Each process does work of its own, as long as it takes, and waits until all have done theirs. */
export async function together<Result>(work: () => Promise<Result>, count: number): Promise<Result> {
  const job = begin(work);
  let ready = 0;
  while (ready < count) {
    await job.overOrSoon();
    // The others learn of it when this process ends.
    if (job.hasFailed) await job.outcome;
    ready = await sumOfProcesses(job.isOver ? 1 : 0);
  }
  return job.outcome;
}

/** A number of each process, in the order of their indices, as float32. */
export async function valuesOfAll(value: number, place: { index: number; count: number }): Promise<number[]> {
  const values: number[] = [];
  for (let each = 0; each < place.count; each++) values.push(await sumOfProcesses(each === place.index ? value : 0));
  return values;
}

function begin<Result>(work: () => Promise<Result>) {
  const outcome = work();
  const job = {
    outcome,
    isOver: false,
    hasFailed: false,
    /** Until it is over, but not longer than to the next sign of life. */
    overOrSoon: () => Promise.race([settled, setTimeout(lifeSignInterval, undefined, { ref: false })]),
  };
  const settled = outcome
    .catch(() => {
      job.hasFailed = true;
    })
    .finally(() => {
      job.isOver = true;
    });
  return job;
}

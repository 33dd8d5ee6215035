import { Worker } from 'node:worker_threads';

/** Between two looks at the launcher, ms. */
const interval = 500;

/**
 * In a thread of its own: the process may be deep in a computation, or wait for others that are gone too. A child of the
 * launcher has another parent at once when that has ended; for others it is not gone before its own parent has noticed.
 */
const watch = `
const { workerData: { launcher, isChild, interval } } = require('node:worker_threads');
const isGone = () => {
  if (isChild) return process.ppid !== launcher;
  try {
    process.kill(launcher, 0);
  } catch ({ code }) {
    return code === 'ESRCH';
  }
};
setInterval(() => {
  if (isGone()) process.kill(process.pid, 'SIGKILL');
}, interval);`;

/** Ends this process, without a word, when the process that launched the workers has ended: nobody else would. */
export function endWithLauncher(launcher: number): void {
  const worker = new Worker(watch, {
    eval: true,
    workerData: { launcher, isChild: process.ppid === launcher, interval },
  });
  worker.unref();
}

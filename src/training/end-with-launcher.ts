import { Worker } from 'node:worker_threads';

/** Between two looks at the launcher, ms. */
const interval = 500;

/** In a thread of its own: the process may be deep in a computation, or wait for others that are gone too. */
const watch = `
const { workerData: { launcher, interval } } = require('node:worker_threads');
setInterval(() => {
  try {
    process.kill(launcher, 0);
  } catch ({ code }) {
    if (code === 'ESRCH') process.kill(process.pid, 'SIGKILL');
  }
}, interval);`;

/** Ends this process, without a word, when the process that launched the workers has ended: nobody else would. */
export function endWithLauncher(launcher: number): void {
  const worker = new Worker(watch, { eval: true, workerData: { launcher, interval } });
  worker.unref();
}

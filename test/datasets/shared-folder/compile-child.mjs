// Compiles a dataset, perhaps as if on a machine of its own. One argument, as JSON: dataset (a file's path), data (the
// folder for the shards), and, of which any may be missing: machine (its name), speed (its clocks run so many times as
// fast, so that others are taken for ended sooner), stopAt (having told of all of these slides, it stops itself).
// Tells each slide and its outcome, a line each.
import { readFileSync, writeSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';

const { dataset, data, machine, speed = 1, stopAt = [] } = JSON.parse(process.argv[2]);
if (machine) {
  os.hostname = () => machine;
  syncBuiltinESMExports();
}
const { now } = performance;
performance.now = () => speed * now.call(performance);
const every = setInterval;
globalThis.setInterval = (run, wait) => every(run, wait / speed);

const { compileDataset } = await import('../../../dist/index.js');
const untold = new Set(stopAt);
try {
  await compileDataset(JSON.parse(readFileSync(dataset, 'utf8')), {
    data,
    workers: 2,
    onProgress: ({ slide, outcome }) => {
      writeSync(1, `${slide} ${outcome}\n`);
      if (untold.delete(slide) && untold.size === 0) process.kill(process.pid, 'SIGSTOP');
    },
  });
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}

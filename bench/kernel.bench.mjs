// How long a person waits for a trivial cell, a completion and an inspection after heavy types are loaded, in our
// kernel and in tslab as it ships. Both run in turns, so that they see the same machine.
import { availableParallelism, cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { peerPython } from './peer-environment.mjs';
import { bothKernels } from './plain-tslab.mjs';
import { report } from './report.mjs';
import { median, Worker } from './worker.mjs';

const quick = process.argv.includes('--quick');
const turns = quick ? 2 : 8;
const rounds = quick ? 3 : 6;
const here = (path) => fileURLToPath(new URL(path, import.meta.url));

const heavy = "import * as tf from '@tensorflow/tfjs-node-gpu';\nimport * as aq from 'arquero';";
const vegaLite = (module) => `import type { TopLevelSpec } from '${module}';\nconst spec: Partial<TopLevelSpec> = {};`;
/** What each runs first. The peer does not find vega-lite's types by the package's name, but by their file. */
const sides = {
  pathlab: [heavy, vegaLite('vega-lite')],
  tslab: [heavy, vegaLite('vega-lite/build/index')],
};
/** What people wait for without noticing. */
const limits = { cell: 100, completion: 300, inspection: 300 };

const python = peerPython('kernel');
const { environment, remove } = bothKernels();
Object.assign(process.env, environment);
process.chdir(here('../'));
try {
  const workers = Object.entries(sides).map(([kernel, cells]) => {
    const worker = new Worker(kernel, [python, here('peers/kernel_latency.py'), kernel]);
    worker.send(JSON.stringify(cells));
    return { side: kernel, worker, times: { cell: [], completion: [], inspection: [] } };
  });
  for (const { worker } of workers) await worker.run(2); // warm
  for (let turn = 0; turn < turns; turn++) {
    for (const { worker, times } of workers) {
      const measured = await worker.run(rounds);
      for (const name of Object.keys(times)) times[name].push(...measured[name]);
    }
  }
  await Promise.all(workers.map(({ worker }) => worker.end()));

  const rows = workers.flatMap(({ side, times }) =>
    Object.entries(times).map(([request, ms]) => ({
      request,
      side,
      ms: median(ms),
      limit: limits[request],
      times: ms,
    })),
  );
  const of = (request, side) => rows.find((row) => row.request === request && row.side === side).ms;
  report('kernel', {
    work: 'Requests after the types of tfjs, vega-lite and arquero are loaded',
    machine: { cpu: cpus()[0].model.trim(), threads: availableParallelism() },
    columns: { request: 'request', side: 'kernel', ms: 'median, ms', limit: 'to stay under, ms' },
    rows: rows.sort((one, other) => one.request.localeCompare(other.request)),
    ratios: Object.fromEntries(Object.keys(limits).map((name) => [name, of(name, 'tslab') / of(name, 'pathlab')])),
    quick,
  });
} finally {
  remove();
}

// The process in which cells run. Requests come in on file descriptor 3, through a thread that hears them also while a
// cell keeps this one busy; messages go out on 4. Both are lines of JSON.
require('./restore-node-util.cjs');
const path = require('node:path');
const { Worker } = require('node:worker_threads');

// Jupyter sends it to all of the kernel's processes; the one that speaks with Jupyter passes it on as a request.
process.on('SIGINT', () => {});
// SLURM, with a request to end, to all of a step's: its command answers it.
if (process.env.SLURM_STEP_ID !== undefined) process.on('SIGTERM', () => {});

const { BusyState } = require('./busy-state.cjs');
const { post } = require('./post.cjs');

// tfjs alone takes about twenty frames between an op and the cell that calls it.
Error.stackTraceLimit = 60;

async function start() {
  const state = new BusyState();
  const requestListener = new Worker(path.join(__dirname, 'request-listener.cjs'), {
    workerData: { state: state.memory },
  });
  const requests = [];
  let take = (request) => requests.push(request);
  requestListener.on('message', (request) => take(request));

  const tslab = require('./tslab.cjs');
  const { CellModules } = require('./modules.cjs');
  const { CellOutput } = require('./output.cjs');
  const { Executor } = require('./executor.cjs');
  const { Input } = require('./input.cjs');
  const { handlerOf } = require('./requests.cjs');

  const { fromProject } = await import('./resolve.mjs');
  const output = new CellOutput();
  const input = new Input(output);
  const executor = new Executor({ tslab, modules: new CellModules(fromProject), output, state });

  // What pathlab (src/base/interrupt.ts, src/report) asks of the kernel.
  globalThis[Symbol.for('pathlab.kernel')] = {
    display: (display) => output.display(display),
    clearOutput: (wait) => output.clear(wait),
    input: (prompt, options) => input.ask(prompt, options),
    interruptSignal: () => executor.interruptSignal(),
    executedCells: () => executor.executedCells(),
    throwIfStopped: () => output.throwIfStopped(),
    awaitsAt: (line) => Object.assign(output.cell, { awaitedLine: line }),
  };
  tslab.onTslabDisplay(({ data, metadata, transient }, update) =>
    output.display({ data, metadata, displayId: transient?.display_id, update }),
  );
  process.on('uncaughtException', (error) => executor.failOutside(error));
  process.on('unhandledRejection', (reason) => executor.failOutside(reason));

  take = handlerOf({ executor, input, tslab, state });
  post({ type: 'ready' });
  for (const request of requests.splice(0)) take(request);
}

start().catch((error) => {
  require('node:fs').writeSync(2, `The pathlab kernel could not start: ${error.stack}\n`);
  process.exit(1);
});

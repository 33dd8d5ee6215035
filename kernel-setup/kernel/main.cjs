// The pathlab kernel: node main.cjs CONNECTION_FILE. Jupyter starts it by the kernelspec that install.mjs writes.
require('./restore-node-util.cjs');
const { readFileSync } = require('node:fs');
const path = require('node:path');
const { Worker } = require('node:worker_threads');

const connectionFile = process.argv[2];
if (!connectionFile) {
  process.stderr.write('usage: node main.cjs CONNECTION_FILE (Jupyter does this; run `npm run lab`)\n');
  process.exit(2);
}
const parent = process.ppid;
// Whoever started this may be gone already; a process without a parent belongs to process 1.
if (parent === 1 && Number(process.env.JPY_PARENT_PID ?? 1) !== 1) process.exit(1);

let executor;
// From the first moment: by default the signal would end a kernel that is still starting.
process.on('SIGINT', () => executor?.interrupt());

// TensorFlow's log, from warnings on, unless the shell asks for another level.
process.env.TF_CPP_MIN_LOG_LEVEL ??= '1';

async function start() {
  const connection = JSON.parse(readFileSync(connectionFile, 'utf8'));
  const tslab = require('./tslab.cjs');
  const { CellModules } = require('./modules.cjs');
  const { CellOutput } = require('./output.cjs');
  const { Executor } = require('./executor.cjs');
  const { KernelServer } = require('./server.cjs');

  const server = new KernelServer(connection, tslab);
  const { fromProject } = await import('./resolve.mjs');
  const output = new CellOutput(server.publish);
  executor = new Executor({ tslab, modules: new CellModules(fromProject), output });

  // What pathlab (src/runs/interrupt.ts, src/report) asks of the kernel.
  globalThis[Symbol.for('pathlab.kernel')] = {
    display: (display) => output.display(display),
    interruptSignal: () => executor.interruptSignal(),
  };
  tslab.onTslabDisplay(({ data, metadata, transient }, update) =>
    output.display({ data, metadata, displayId: transient?.display_id, update }),
  );
  process.on('uncaughtException', (error) => executor.failOutside(error));
  process.on('unhandledRejection', (reason) => executor.failOutside(reason));
  new Worker(path.join(__dirname, 'parent-watch.cjs'), { workerData: { parent } }).unref();

  await server.listen();
  await server.serve(executor, output);
}

start().catch((error) => {
  process.stderr.write(`The pathlab kernel could not start: ${error.stack}\n`);
  process.exit(1);
});

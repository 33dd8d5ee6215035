// The pathlab kernel: node main.cjs [SETTINGS] CONNECTION_FILE (settings.cjs). Jupyter starts it by the kernelspec that install.mjs writes.
// This process speaks the Jupyter protocol. Cells run in a process of their own (cells/main.cjs): whatever happens
// there, an endless loop, a long call into native code or a crash, this one still answers, stops it and says so.
const { readFileSync } = require('node:fs');

const settings = process.argv.slice(2, -1);
const connectionFile = process.argv[2] && process.argv.at(-1);
if (!connectionFile) {
  process.stderr.write('usage: node main.cjs CONNECTION_FILE (Jupyter does this; run `npm run lab`)\n');
  process.exit(2);
}
const parent = process.ppid;
// Whoever started this may be gone already; a process without a parent belongs to process 1.
if (parent === 1 && Number(process.env.JPY_PARENT_PID ?? 1) !== 1) process.exit(1);

let server;
// SLURM signals every process of a step, and those that hand a signal on do so too: an interrupt soon after another is its
// repeat, and a request to end is for the command, which interrupts.
const isOfStep = process.env.SLURM_STEP_ID !== undefined;
let heardAt = Number.NEGATIVE_INFINITY;
// From the first moment: by default the signal would end a kernel that is still starting.
process.on('SIGINT', () => {
  const isRepeat = isOfStep && performance.now() - heardAt < 500;
  heardAt = performance.now();
  if (!isRepeat) server?.interrupt();
});
if (isOfStep) process.on('SIGTERM', () => {});

async function start() {
  // TensorFlow's log, from warnings on, unless the kernelspec asks for another level, or the shell.
  const variables = { TF_CPP_MIN_LOG_LEVEL: '1', ...require('./settings.cjs').variablesOf(settings) };
  for (const [name, value] of Object.entries(variables)) process.env[name] ??= value;
  require('./tslab-version.cjs').check();
  const connection = JSON.parse(readFileSync(connectionFile, 'utf8'));
  const { KernelServer } = require('./server.cjs');
  server = new KernelServer(connection);
  // Ends the kernel when the process that started it is gone (killed, so that it could not say goodbye).
  setInterval(() => process.ppid === parent || server.kill(), 500).unref();
  await server.serve();
}

start().catch((error) => {
  process.stderr.write(`The pathlab kernel could not start: ${error.stack}\n`);
  server?.kill();
  process.exit(1);
});

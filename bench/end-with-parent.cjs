// Loaded into plain tslab before it starts (plain-tslab.mjs): it does not end by itself when the program that drives it
// was killed, and in an endless loop would run on for ever. A thread of its own sees that and ends it, after more time
// than a test waits for a kernel to end by itself.
const { isMainThread, Worker, workerData } = require('node:worker_threads');

const patience = 30_000; // ms

if (isMainThread) {
  new Worker(__filename, { workerData: { parent: process.ppid } }).unref();
} else if (workerData?.parent) {
  const watch = setInterval(() => {
    if (process.ppid === workerData.parent) return;
    clearInterval(watch);
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), patience);
  }, 500);
}

// Ends the kernel when the process that started it is gone (killed, so that it could not say goodbye). Runs in a
// thread of its own, because a cell may keep the main one busy for hours.
const { workerData } = require('node:worker_threads');

setInterval(() => {
  if (process.ppid !== workerData.parent) process.kill(process.pid, 'SIGKILL');
}, 500);

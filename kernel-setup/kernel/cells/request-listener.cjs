// Hears requests in a thread of its own and passes them on, since a cell may keep the main one busy for hours. It
// acts itself where that matters: an interrupt stops a cell that does not come round to hear of it, and the end of the
// front process ends this one.
// tslab's fault: it stops code only until the cell's first `await`. Here V8 is asked to, through its inspector, which
// stops the main thread's JavaScript wherever it is; a call into native code is stopped when it returns.
const { Session } = require('node:inspector');
const { Socket } = require('node:net');
const { createInterface } = require('node:readline');
const { parentPort, workerData } = require('node:worker_threads');
const { BusyState } = require('./busy-state.cjs');

const requests = 3;
const patience = 200; // ms that the main thread has to hear of an interrupt
const patienceAtEnd = 1000;
const betweenTries = 7;

const state = new BusyState(workerData.state);
/** How many such requests the main thread had heard when the last one came. */
let lastStop = -1;
/** The next try to stop it: another interrupt takes the place of the one before. */
let nextTry;

createInterface({ input: new Socket({ fd: requests, readable: true, writable: false }) })
  .on('line', (line) => {
    const request = JSON.parse(line);
    const before = state.heard;
    parentPort.postMessage(request);
    if (request.type !== 'interrupt' && request.type !== 'end') return;
    // A cell that asked for the signal ends by itself at the first interrupt; one may be on its way to it.
    const first = !unheard(before);
    lastStop = before;
    if (state.cooperative && first) return;
    if (request.type === 'interrupt') stopMainIn(patience, before);
    else setTimeout(() => state.heard === before && endProcess(), patienceAtEnd);
  })
  .on('close', endProcess);

/** Whether an earlier request to stop has not reached the main thread yet. */
function unheard(now) {
  return lastStop === now;
}

function stopMainIn(milliseconds, before) {
  clearTimeout(nextTry);
  nextTry = setTimeout(() => stopMain(before), milliseconds);
}

function stopMain(before) {
  if (state.heard !== before) return;
  // A session that is still open when the process ends would hold it up.
  const main = new Session();
  main.connectToMainThread();
  const offer = () => main.post('Runtime.evaluate', { expression: "globalThis[Symbol.for('pathlab.offerStop')]()" });
  if (state.agreesToStop(offer)) {
    main.post('Runtime.terminateExecution', () => main.disconnect());
    state.release();
  } else {
    main.disconnect();
    stopMainIn(betweenTries, before);
  }
}

function endProcess() {
  process.kill(process.pid, 'SIGKILL');
}

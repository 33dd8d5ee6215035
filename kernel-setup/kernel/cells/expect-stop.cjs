// Code that is stopped from outside (request-listener.cjs) must not be in the middle of Node's own bookkeeping.
//
// Node counts the callbacks that it is in, and ends the process when the count is wrong after one of them was stopped.
// So just before that the count is cleared, as Node itself does for an uncaught exception. And V8 forgets the stop where
// it meets code that Node runs around each promise, which then counts on; there the code is not stopped, but a little
// later.
const path = require('node:path');

const ownFolder = path.join(__dirname, '..');
const clearAsyncIdStack = functionOfNode('async_wrap', 'clearAsyncIdStack');

/** Node offers no public way to it: cell-process.cjs starts this process with `--expose-internals`. */
function functionOfNode(binding, name) {
  const { emitWarning } = process;
  process.emitWarning = () => {}; // that this is not meant for programs
  try {
    const found = require('internal/test/binding').internalBinding(binding)[name];
    if (typeof found === 'function') return found;
  } finally {
    process.emitWarning = emitWarning;
  }
  throw new Error(`the pathlab kernel does not work with Node ${process.version}: ${name} is missing`);
}

/** Lets `offerStop` be called from outside. */
function offerStop(state) {
  Object.defineProperty(globalThis, Symbol.for('pathlab.offerStop'), {
    // Between clearing and stopping no code may run, since it would be counted.
    value: () => state.answerStop(!state.compiling && canStopHere(), clearAsyncIdStack),
  });
}

/** Whether cells or packages are being run and not the kernel alone, and none of Node's code around promises. */
function canStopHere() {
  const { prepareStackTrace, stackTraceLimit } = Error;
  Error.prepareStackTrace = (_error, frames) => frames.map((frame) => frame.getFileName() ?? '');
  Error.stackTraceLimit = Number.POSITIVE_INFINITY;
  const files = new Error().stack.slice(ownFrames);
  Error.prepareStackTrace = prepareStackTrace;
  Error.stackTraceLimit = stackTraceLimit;
  const isOthers = (file) => file !== '' && !file.startsWith('node:') && !file.startsWith(ownFolder);
  return files.some(isOthers) && !files.includes('node:internal/async_hooks');
}

const ownFrames = 3; // canStopHere, value, and the expression that called it

module.exports = { offerStop };

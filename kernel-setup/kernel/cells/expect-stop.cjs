// Node counts the callbacks that it is in, and ends the process when the count is wrong after one of them was stopped
// from outside (ear.cjs). So just before that the count is cleared, as Node itself does for an uncaught exception.
const warnings = process.noDeprecation;
process.noDeprecation = true;
// Node offers no public way to it.
const { clearAsyncIdStack } = process.binding('async_wrap');
process.noDeprecation = warnings;

if (typeof clearAsyncIdStack !== 'function') {
  throw new Error(`Node ${process.version} is not as the pathlab kernel expects it: it has no clearAsyncIdStack`);
}

/** Lets `expectStop` be called from outside. */
function offerStop(state) {
  Object.defineProperty(globalThis, Symbol.for('pathlab.expectStop'), {
    value: () => {
      // Between clearing and stopping no code may run, since it would be counted.
      state.awaitStop();
      clearAsyncIdStack();
    },
  });
}

module.exports = { offerStop };

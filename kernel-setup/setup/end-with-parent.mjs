/**
 * Stops this process as Ctrl-C does (or by another signal) when the process that began it is gone, so that nothing runs on
 * after a kill.
 */
export function endWithParent(signal = 'SIGINT') {
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    process.kill(process.pid, signal);
  }, 500);
  watch.unref();
}

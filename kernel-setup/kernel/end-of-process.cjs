// Says how the cells' process ended, when nobody had asked it to.

const reasons = {
  SIGKILL: 'Something killed it: most often the operating system, because memory ran out.',
  SIGSEGV: 'Native code crashed.',
  SIGBUS: 'Native code crashed, or the disk is full.',
  SIGILL: 'Native code used an instruction that this CPU does not have.',
  SIGABRT: 'Native code gave up.',
};
const heapIsFull = /Reached heap limit|JavaScript heap out of memory/;

/**
 * @param {{ code: number | null, signal: string | null, log: string[] }} how
 * @returns `{ ename, evalue, traceback }`, the content of an `error` message
 */
function describeEnd({ code, signal, log }) {
  const how = signal ? `was ended by ${signal}` : `exited with code ${code}`;
  const full = log.some((line) => heapIsFull.test(line));
  const reason = full
    ? 'Its JavaScript heap was full: start Jupyter with a larger PATHLAB_HEAP_MB (megabytes).'
    : (reasons[signal] ?? '');
  const evalue = [`the kernel's process ${how}, and its variables are lost.`, reason].filter(Boolean).join(' ');
  const lines = log.length > 0 ? ['The last lines that it wrote:', ...log.map((line) => `    ${line}`)] : [];
  return { ename: 'KernelDied', evalue, traceback: [`KernelDied: ${evalue}`, ...lines] };
}

module.exports = { describeEnd };

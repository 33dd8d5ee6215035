import koffi from 'koffi';

/**
 * Gives the pages that malloc keeps for later back to the system, so that what stays resident is in use.
 *
 * @returns {(() => void) | undefined} undefined where libc has no such function
 */
export function mallocTrim() {
  try {
    const trim = koffi.load('libc.so.6').func('int malloc_trim(size_t)');
    return () => void trim(0);
  } catch {
    return undefined;
  }
}

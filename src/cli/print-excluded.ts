import { byReason, type LockFile } from '../datasets/index.js';

/** Maximum number of lines. */
const maxReasons = 20;
const maxFaults = 50;

/**
 * Prints the entries that a list excludes: each invalid one, and counts of other reasons.
 *
 * @returns the number of invalid entries
 */
export function printExcluded({ excluded }: LockFile): number {
  const others = byReason(excluded.filter(({ fault }) => !fault));
  for (const { reason, slides, examples } of others.slice(0, maxReasons)) {
    console.error(`${slides} excluded: ${reason} (${examples.join(', ')}${slides > examples.length ? ', ...' : ''})`);
  }
  if (others.length > maxReasons) console.error(`more are excluded for ${others.length - maxReasons} other reasons`);
  const faults = excluded.filter(({ fault }) => fault);
  for (const { id, reason } of faults.slice(0, maxFaults)) console.error(`excluded: ${id}: ${reason}`);
  if (faults.length > maxFaults) console.error(`excluded: and ${faults.length - maxFaults} more invalid entries`);
  return faults.length;
}

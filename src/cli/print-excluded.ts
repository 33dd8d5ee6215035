import { byReason, type LockFile } from '../datasets/index.js';

/** So many are told. */
const maxReasons = 20;
const maxFaults = 50;

/**
 * Says what a list leaves out: the entries that are wrong, and how many for each other reason.
 *
 * @returns how many are wrong
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

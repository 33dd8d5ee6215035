import { byReason, type LockFile } from '../datasets/index.js';

/** So many are told. */
const mostReasons = 20;
const mostFaults = 50;

/**
 * Says what a list leaves out: the entries that are wrong, and how many for each other reason.
 *
 * @returns how many are wrong
 */
export function tellLeftOut({ excluded }: LockFile): number {
  const others = byReason(excluded.filter(({ fault }) => !fault));
  for (const { reason, slides, examples } of others.slice(0, mostReasons)) {
    console.error(`${slides} left out: ${reason} (${examples.join(', ')}${slides > examples.length ? ', ...' : ''})`);
  }
  if (others.length > mostReasons) console.error(`and more, for ${others.length - mostReasons} other reasons`);
  const faults = excluded.filter(({ fault }) => fault);
  for (const { id, reason } of faults.slice(0, mostFaults)) console.error(`left out: ${id}: ${reason}`);
  if (faults.length > mostFaults)
    console.error(`left out: and ${faults.length - mostFaults} more entries that are wrong`);
  return faults.length;
}

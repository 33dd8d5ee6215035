import type { LockFile } from '../datasets/index.js';

/**
 * Says which entries of a list are wrong, so that they were left out.
 *
 * @returns how many
 */
export function tellFaults({ excluded }: LockFile): number {
  const faults = excluded.filter(({ fault }) => fault);
  for (const { id, reason } of faults) console.error(`left out: ${id}: ${reason}`);
  return faults.length;
}

/** Says that a source is asked for its list again, and when: the waits are long enough to look like a hang. */
export function printListRetry(address: string, waitSeconds: number, reason: string): void {
  console.error(`list: ${address}: ${reason}; again in ${waitSeconds.toFixed(1)} s`);
}

/** Says how much of a list is there: a source's pages take time, and a folder of the user's is read. */
export function printListPage(found: number, total: number | undefined): void {
  console.error(`list: ${found}${total === undefined ? '' : ` of ${total}`}`);
}

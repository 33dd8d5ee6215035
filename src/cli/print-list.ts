/** Prints that a source's list is requested again, and when: the waits are long enough to look like a hang. */
export function printListRetry(address: string, waitSeconds: number, reason: string): void {
  console.error(`list: ${address}: ${reason}; retrying in ${waitSeconds.toFixed(1)} s`);
}

/** Prints progress of listing: paging through a source and reading a user's folder take time. */
export function printListPage(found: number, total: number | undefined): void {
  console.error(`list: ${found}${total === undefined ? '' : ` of ${total}`}`);
}

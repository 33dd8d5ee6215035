/** Says that a source is asked for its list again, and when: the waits are long enough to look like a hang. */
export function tellListRetry(address: string, waitSeconds: number, reason: string): void {
  console.error(`list: ${address}: ${reason}; again in ${waitSeconds.toFixed(1)} s`);
}

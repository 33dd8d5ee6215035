/** Nothing more can be written. What is whole stays, and the same call goes on from there once there is room. */
export class DiskFullError extends Error {
  override name = 'DiskFullError';
}

/** Whether the system refused to write for want of room, or for a user's quota. */
export function isDiskFull(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException)?.code ?? '');
}

/**
 * Does work that writes in a folder.
 *
 * @param words what to tell of it: what is there, and what to do
 * @throws DiskFullError in these words when the disk is full; whatever else the work throws, as it is
 */
export async function explainDiskFull<T>(work: () => Promise<T>, words: () => string): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isDiskFull(error)) throw error;
    throw new DiskFullError(`the disk is full: ${words()}`, { cause: error });
  }
}

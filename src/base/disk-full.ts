/** The disk is full. Finished files are kept, and the same call continues once there is room. */
export class DiskFullError extends Error {
  override name = 'DiskFullError';
}

/** Whether a write failed because the disk, or the user's quota, is full. */
export function isDiskFull(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException)?.code ?? '');
}

/**
 * Runs work that writes to a folder.
 *
 * @param words for the message: what was kept, and what to do
 * @throws DiskFullError with this message when the disk is full; other errors unchanged
 */
export async function explainDiskFull<T>(work: () => Promise<T>, words: () => string): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isDiskFull(error)) throw error;
    throw new DiskFullError(`the disk is full: ${words()}`, { cause: error });
  }
}

import { join } from 'node:path';
import { FileLock } from '../base/lock.js';

/** The locks of this process by path: reopening a run takes over its own lock. */
const locks = new Map<string, FileLock>();

/**
 * Locks a part of a run's folder for this process: the `run` or the `page`.
 *
 * @throws Error that names the owner
 */
export async function lockFolder(folder: string, part: 'run' | 'page'): Promise<FileLock> {
  const path = join(folder, `.${part}.lock`);
  await locks.get(path)?.release();
  const lock = await FileLock.require(path, `${folder} is being written`);
  locks.set(path, lock);
  return lock;
}

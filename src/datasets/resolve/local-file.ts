import type { Stats } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { LockedFile } from '../lock-file.js';
import { isInnerPath } from '../schema.js';
import type { FileDigests } from './file-digests.js';

/**
 * Checks that a user's file is in the user's folder.
 *
 * @param where names the place in the user's table for the error
 * @throws Error when the path leaves the folder or leads through a symbolic link, or the file is missing or empty
 */
export async function checkLocalFile(folder: string, path: string, where: string): Promise<Stats> {
  if (path.includes('\\')) {
    throw new Error(`${where}: the path ${path} has backslashes; write "/" instead`);
  }
  if (!isInnerPath(path)) {
    throw new Error(
      `${where}: "${path}" is not a relative path inside the folder (".." and absolute paths are not allowed)`,
    );
  }
  const place = join(folder, path);
  const facts = await stat(place).catch(() => undefined);
  if (!facts?.isFile()) throw new Error(`${where}: there is no file ${path}`);
  // Every folder on the path may be a link, not only the last part. The user's folder itself may be one.
  if ((await realpath(place)) !== join(await realpath(folder), path)) {
    throw new Error(
      `${where}: ${path} is a symbolic link or leads through one, which is not followed; put the file itself there`,
    );
  }
  if (facts.size === 0) throw new Error(`${where}: ${path} is empty`);
  return facts;
}

/**
 * A user's file, with its size and SHA-256.
 *
 * @throws Error as `checkLocalFile`, and when it cannot be read
 */
export async function localFile(
  folder: string,
  path: string,
  where: string,
  digests: FileDigests,
): Promise<LockedFile> {
  const { size } = await checkLocalFile(folder, path, where);
  const place = join(folder, path);
  // The list is shared, so paths of this machine stay private.
  const sha256 = await digests.of(place, path).catch((error: Error) => {
    throw new Error(`${where}: ${path} cannot be read: ${error.message.replaceAll(place, path)}`);
  });
  return { path, remote: null, bytes: size, md5: null, sha256, etag: null };
}

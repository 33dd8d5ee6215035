import type { Stats } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { LockedFile } from '../lock-file.js';
import { isInnerPath } from '../schema.js';
import type { FileDigests } from './file-digests.js';

/**
 * Checks that a file which the user names is in the user's folder.
 *
 * @param where names the place in the user's table for the error
 * @throws Error when the path leaves the folder or leads through a symbolic link, or there is no such file, or it is empty
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
  // Not the last name alone: a folder on the way may be a link too. The folder itself may be reached through one.
  if ((await realpath(place)) !== join(await realpath(folder), path)) {
    throw new Error(
      `${where}: ${path} is a symbolic link or leads through one, which is not followed; put the file itself there`,
    );
  }
  if (facts.size === 0) throw new Error(`${where}: ${path} is empty`);
  return facts;
}

/**
 * A file that the user has, with its size and SHA-256.
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
  // The list travels, and this machine's folders are nobody's business.
  const sha256 = await digests.of(place, path).catch((error: Error) => {
    throw new Error(`${where}: ${path} cannot be read: ${error.message.replaceAll(place, path)}`);
  });
  return { path, remote: null, bytes: size, md5: null, sha256, etag: null };
}

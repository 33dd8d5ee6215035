import { realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOfFile } from '../../runs/index.js';
import type { LockedFile } from '../lock-file.js';
import { isInnerPath } from '../shape.js';

/**
 * A file that the user has, with its size and SHA-256.
 *
 * @param where names the place in the user's table for the error
 * @throws Error when the path leaves the folder or leads through a symbolic link, or there is no such file, or it is empty
 */
export async function localFile(folder: string, path: string, where: string): Promise<LockedFile> {
  if (!isInnerPath(path)) {
    throw new Error(
      `${where}: "${path}" is no relative path inside the folder ("..", absolute and odd names are not taken)`,
    );
  }
  const place = join(folder, path);
  const facts = await stat(place).catch(() => undefined);
  if (!facts?.isFile()) throw new Error(`${where}: there is no file ${path}`);
  // Not the last name alone: a folder on the way may be a link too. The folder itself may be reached through one.
  if ((await realpath(place)) !== join(await realpath(folder), path)) {
    throw new Error(
      `${where}: ${path} is, or lies behind, a symbolic link, which is not followed: put the file itself there`,
    );
  }
  if (facts.size === 0) throw new Error(`${where}: ${path} is empty`);
  // The list travels, and this machine's folders are nobody's business.
  const sha256 = await digestOfFile(place).catch((error: Error) => {
    throw new Error(`${where}: ${path} cannot be read: ${error.message.replaceAll(place, path)}`);
  });
  return { path, remote: null, bytes: facts.size, md5: null, sha256, etag: null };
}

import { readFileSync } from 'node:fs';

/**
 * What a JSON file holds; some editors begin it with a byte order mark.
 *
 * @param what for the error: `the lock file`
 * @throws Error that names the file and why it cannot be read
 */
export function readJsonFile(path: string, what: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8').replace(/^\uFEFF/, ''));
  } catch (error) {
    throw new Error(`${what} ${path} cannot be read: ${(error as Error).message}`);
  }
}

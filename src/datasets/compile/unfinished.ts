import { readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** Removes what a killed process left of a file. Only who compiles the file's folder may do so. */
export async function removeUnfinished(path: string): Promise<void> {
  const folder = dirname(path);
  const prefix = `${basename(path)}.`;
  for (const name of await readdir(folder)) {
    if (name.startsWith(prefix) && name.endsWith('.partial')) await rm(join(folder, name), { force: true });
  }
}

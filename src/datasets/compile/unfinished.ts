import { readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** Removes temporary files of a killed process. Only the process that compiles the folder may call it. */
export async function removeUnfinished(path: string): Promise<void> {
  const folder = dirname(path);
  const prefix = `${basename(path)}.`;
  for (const name of await readdir(folder)) {
    if (name.startsWith(prefix) && name.endsWith('.partial')) await rm(join(folder, name), { force: true });
  }
}

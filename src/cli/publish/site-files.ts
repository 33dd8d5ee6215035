import { existsSync, readdirSync, statSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { digestOfFile, inParallel, syncFolder, temporaryName } from '../../base/index.js';
import { readOfRun } from '../finished-run.js';
import { UsageError } from '../usage-error.js';
import { type Crate, type CrateEntity, crateName, idOf, publisher, type SiteFile } from './crate.js';

/** All files under a folder, relative to it, in name order; not those of git. */
export function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .filter((name) => !/^\.git(\/|$)/.test(name))
    .sort();
}

/** The names of a site's runs, sorted. */
export function runNames(site: string): string[] {
  const runs = join(site, 'runs');
  if (!existsSync(runs)) return [];
  const folders = readdirSync(runs, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return folders.map(({ name }) => name).sort();
}

/** Whether a folder is a site of `pathlab publish`. */
export function isSite(folder: string): boolean {
  return existsSync(join(folder, crateName)) && graphOf(folder).some((entity) => entity['@id'] === publisher);
}

/** @throws UsageError for a crate that cannot be read */
export function graphOf(folder: string): readonly CrateEntity[] {
  const graph = readOfRun<Crate | null>(folder, crateName)?.['@graph'];
  if (Array.isArray(graph)) return graph.filter((entity) => typeof entity === 'object' && entity !== null);
  throw new UsageError(`${crateName} of ${folder} is not an RO-Crate: it has no list "@graph"`);
}

/** The files of a site, which are on disk afterwards (fsync). */
export function hashedFiles(site: string): Promise<SiteFile[]> {
  return inParallel(filesIn(site), async (path) => {
    const file = await open(join(site, path), 'r');
    try {
      await file.sync();
      return { path, bytes: (await file.stat()).size, sha256: await digestOfFile(join(site, path)) };
    } finally {
      await file.close();
    }
  });
}

/** @throws UsageError for a folder that has files that no site of ours wrote, and for a broken crate */
export function requireOwn(target: string): void {
  if (!existsSync(target)) return;
  if (!statSync(target).isDirectory()) throw new UsageError(`${target} is not a folder`);
  const hasCrate = existsSync(join(target, crateName));
  if (hasCrate && !isSite(target))
    throw new UsageError(`${crateName} of ${target} is not of pathlab publish; choose a new folder`);
  const own = new Set(hasCrate ? graphOf(target).map((entity) => entity['@id']) : []);
  // A checkout's history would be lost with the folder.
  const history = existsSync(join(target, '.git')) ? ['.git'] : [];
  const foreign = [...history, ...filesIn(target).filter((file) => file !== crateName && !own.has(idOf(file)))];
  if (foreign.length === 0) return;
  throw new UsageError(
    `${target} has files that are not of a published site: ${foreign.slice(0, 3).join(', ')}; choose a new folder`,
  );
}

/** Gives a finished folder its name, in the place of an earlier one. */
export async function putInPlace(built: string, target: string): Promise<void> {
  const old = existsSync(target) ? temporaryName(target) : undefined;
  if (old) await rename(target, old);
  try {
    await rename(built, target);
  } catch (error) {
    if (old) await rename(old, target);
    throw error;
  }
  await syncFolder(dirname(target));
  if (old) await rm(old, { recursive: true, force: true });
}

import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { key, projectRoot, throwIfInterrupted } from '../base/index.js';
import { type DownloadOptions, withDefaults } from '../download/index.js';
import type { DatasetDefinition, DatasetOrigin } from './definition.js';
import { type LockedSlide, type LockFile, readLockFile } from './lock-file.js';
import { definitionFolder, definitionSha256, isResolved, readDefinition } from './read-definition.js';
import { FileDigests } from './resolve/file-digests.js';
import { resolveDefinition } from './resolve/resolve.js';

export interface FetchOptions extends DownloadOptions {
  /** Where the files go; by default `data/<name>/source`. */
  out?: string;
  /** The folder of the user's that holds the files, for a source that is one. */
  from?: string;
  /** A mirror, or a server in a test, in place of the definition's own address. */
  endpoint?: string;
  /** Only so many slides, drawn by their ids; the lock file is of all. */
  limit?: number;
  /** Asks the source again although there is a lock file. */
  refresh?: boolean;
  /** Called as the list comes: with slides so far, or files where they are a folder of the user's. */
  onPage?: (found: number, total: number | undefined) => void;
  /** Called before each wait after which the source is asked for its list again. */
  onListRetry?: (address: string, waitSeconds: number, reason: string) => void;
}

/** A dataset's list, and where its files are. */
export interface ResolvedDataset {
  definition: DatasetDefinition;
  /** The definition's own source, or the mirror or folder that the caller chose. */
  source: DatasetOrigin;
  lock: LockFile;
  /** The slides that are wanted: all, or those that a limit drew. */
  slides: readonly LockedSlide[];
  /** Where lock file, report and downloads are. */
  out: string;
  /** Where the slides' paths start: `out`, or the user's own folder. */
  folder: string;
  /** In words: that the list is the user's or the source's own, or that nobody has checked that yet. */
  resolution: string;
}

/**
 * Resolves a definition: from the lock file of an earlier call if it is of the same definition, else from its source.
 *
 * @throws Error when the list is not the one whose hash the definition holds
 */
export async function resolveDataset(nameOrPath: string, options: FetchOptions = {}): Promise<ResolvedDataset> {
  const definition = readDefinition(nameOrPath);
  const source = placed(definition, options);
  const out = resolve(options.out ?? join(projectRoot, 'data', definition.name, 'source'));
  const base = definitionFolder(nameOrPath);
  const resolved = async () => {
    const { everyByte, signal, onPage } = options;
    const kept = 'folder' in source ? join(out, 'digests.json') : undefined;
    const digests = await FileDigests.open(kept, { everyByte, signal, onFile: (files) => onPage?.(files, undefined) });
    try {
      return await resolveDefinition(definition, source, base, withDefaults(options), digests);
    } finally {
      await digests.keep();
      throwIfInterrupted(signal, 'making the list');
    }
  };
  const lock = earlierLock(definition, out, options) ?? (await resolved());
  return {
    definition,
    lock,
    slides: drawn(lock.slides, options.limit),
    out,
    source,
    folder: localFolder(source, base) ?? out,
    resolution: resolutionOf(definition, lock),
  };
}

/** The definition's source, with the address or folder that the caller chose. */
function placed(definition: DatasetDefinition, { endpoint, from }: FetchOptions): DatasetOrigin {
  const { source } = definition;
  if (endpoint !== undefined) {
    if (!('endpoint' in source)) throw new Error(`${definition.name} has no endpoint: its files are not downloaded`);
    return { ...source, endpoint: endpoint.replace(/\/+$/, '') };
  }
  if (from !== undefined) {
    if (!('folder' in source)) throw new Error(`${definition.name} is downloaded: it takes no folder of the user's`);
    return { ...source, folder: resolve(from) };
  }
  return source;
}

function localFolder(source: DatasetOrigin, base: string): string | undefined {
  return 'folder' in source && source.folder !== null ? resolve(base, source.folder) : undefined;
}

function earlierLock(definition: DatasetDefinition, out: string, { refresh }: FetchOptions): LockFile | undefined {
  const path = join(out, 'lock.json');
  // A folder of the user's is read each time: what is in it is the user's to change.
  if (refresh || 'folder' in definition.source || !existsSync(path)) return undefined;
  const lock = readLockFile(path);
  return lock.definitionSha256 === definitionSha256(definition) ? lock : undefined;
}

function resolutionOf(definition: DatasetDefinition, lock: LockFile): string {
  const { name, resolvedSha256 } = definition;
  if (resolvedSha256 === null) {
    if (isResolved(definition)) {
      return `the list is ${lock.synthetic ? 'of synthetic slides' : "the user's own"}; its hash is ${lock.listSha256}`;
    }
    return `not yet resolved against the real source: the hash of this list, ${lock.listSha256}, is nobody's but yours`;
  }
  if (resolvedSha256 === lock.listSha256) return `the list has the hash that the definition holds, ${resolvedSha256}`;
  throw new Error(
    `${name}: the source now has another list than when the definition was resolved (${lock.slides.length} slides, ` +
      `hash ${lock.listSha256}, not ${resolvedSha256}); results from it cannot be compared with earlier ones. To take ` +
      'it all the same, write its hash into resolvedSha256',
  );
}

/** Some of the slides, the same whatever the order of the list. */
function drawn(slides: readonly LockedSlide[], limit: number | undefined): readonly LockedSlide[] {
  if (limit === undefined || limit >= slides.length) return slides;
  const ranked = slides.map((slide) => ({ slide, rank: key('limit').fold(slide.id).toString() }));
  ranked.sort((one, other) => (one.rank < other.rank ? -1 : 1));
  const kept = new Set(ranked.slice(0, limit).map(({ slide }) => slide));
  return slides.filter((slide) => kept.has(slide));
}

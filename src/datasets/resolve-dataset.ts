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
  /** The user's folder with the files, for a source of that kind. */
  from?: string;
  /** A mirror, or a test server, instead of the definition's own address. */
  endpoint?: string;
  /** Number of slides, drawn by their ids; the lock file lists all. */
  limit?: number;
  /** Queries the source again even if there is a lock file. */
  refresh?: boolean;
  /** Progress of listing: slides so far, or files in a user's folder. */
  onPage?: (found: number, total: number | undefined) => void;
  /** Called before each wait before a retry of the list. */
  onListRetry?: (address: string, waitSeconds: number, reason: string) => void;
}

/** A dataset's list and the location of its files. */
export interface ResolvedDataset {
  definition: DatasetDefinition;
  /** The definition's own source, or the mirror or folder that the caller chose. */
  source: DatasetOrigin;
  lock: LockFile;
  /** The selected slides: all, or those drawn by a limit. */
  slides: readonly LockedSlide[];
  /** Where lock file, report and downloads are. */
  out: string;
  /** Where the slides' paths start: `out`, or the user's own folder. */
  folder: string;
  /** In words: whether the list is the user's own, verified, or not verified. */
  resolution: string;
}

/**
 * Resolves a definition: from an existing lock file of the same definition, else from its source.
 *
 * @throws Error when the list does not have the hash in the definition
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
    if (!('folder' in source)) throw new Error(`${definition.name} is downloaded: --from does not apply`);
    return { ...source, folder: resolve(from) };
  }
  return source;
}

function localFolder(source: DatasetOrigin, base: string): string | undefined {
  return 'folder' in source && source.folder !== null ? resolve(base, source.folder) : undefined;
}

function earlierLock(definition: DatasetDefinition, out: string, { refresh }: FetchOptions): LockFile | undefined {
  const path = join(out, 'lock.json');
  // A user's folder is read each time, since the user may change it.
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
    return `not yet resolved against the real source: the hash of this list, ${lock.listSha256}, is not verified`;
  }
  if (resolvedSha256 === lock.listSha256) return `the list has the hash that the definition holds, ${resolvedSha256}`;
  throw new Error(
    `${name}: the source's list has changed since the definition was resolved (${lock.slides.length} slides, ` +
      `hash ${lock.listSha256}, not ${resolvedSha256}); results from it cannot be compared with earlier ones. To use ` +
      'it anyway, write its hash into resolvedSha256',
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

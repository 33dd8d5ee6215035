import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import {
  type Download,
  type DownloadOptions,
  type DownloadResult,
  downloadAll,
  key,
  projectRoot,
  requestDefaults,
  retryDefaults,
  writeFileAtomic,
} from '../runs/index.js';
import {
  type DatasetDefinition,
  type DatasetOrigin,
  definitionFolder,
  definitionSha256,
  readDefinition,
} from './definition.js';
import { type FetchReport, fetchReport } from './fetch-report.js';
import { filesOf, type LockedFile, type LockedSlide, type LockFile, lockFileText, readLockFile } from './lock-file.js';
import { resolveDefinition } from './resolve/resolve.js';
import type { DatasetSlide } from './slide-source.js';

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
  onPage?: (slides: number, total: number | undefined) => void;
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
  /** In words: that the list is the source's own, or that nobody has checked that yet. */
  resolution: string;
}

export interface FetchedDataset extends ResolvedDataset {
  /** The slides whose files are all there. */
  ready: readonly DatasetSlide[];
  downloads: DownloadResult;
  report: FetchReport;
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
  const lock =
    earlierLock(definition, out, options) ?? (await resolveDefinition(definition, source, base, asking(options)));
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

/**
 * Resolves a definition into `lock.json`, downloads its files and writes `report.json`. A file that fails does not stop
 * the rest; what is there already is kept.
 *
 * @throws Error when the definition cannot be resolved; DiskFullError; InterruptedError
 */
export async function fetchDataset(nameOrPath: string, options: FetchOptions = {}): Promise<FetchedDataset> {
  const dataset = await resolveDataset(nameOrPath, options);
  const { lock, slides, out } = dataset;
  await mkdir(out, { recursive: true });
  await writeFileAtomic(join(out, 'lock.json'), lockFileText(lock));
  const files = slides.flatMap(filesOf).flatMap((file) => downloadOf(file, dataset.source));
  const downloads = await downloadAll(out, files, {
    ...options,
    secret: options.secret ?? tokenFor(dataset.definition),
  });
  const ready = slidesThatAreThere(dataset, downloads);
  const report = fetchReport(dataset, downloads, ready.length);
  await writeFileAtomic(join(out, 'report.json'), `${JSON.stringify(report, null, 2)}\n`);
  return { ...dataset, ready, downloads, report };
}

/** The GDC's token, needed only for files that are not open; it stays in the environment. */
function tokenFor({ source }: DatasetDefinition): { header: string; value: string } | undefined {
  const value = source.kind === 'gdc' ? process.env.GDC_TOKEN?.trim() : undefined;
  return value ? { header: 'x-auth-token', value } : undefined;
}

/** The definition's source, with the address or folder that the caller chose. */
function placed(definition: DatasetDefinition, { endpoint, from }: FetchOptions): DatasetOrigin {
  const { source } = definition;
  if (endpoint !== undefined) {
    if (!('endpoint' in source))
      throw new Error(`${definition.name} is not downloaded: it has no endpoint to override`);
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

function asking(options: FetchOptions) {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  return { ...requestDefaults, ...retryDefaults, ...(given as FetchOptions) };
}

function resolutionOf({ name, resolvedSha256 }: DatasetDefinition, lock: LockFile): string {
  if (resolvedSha256 === null) {
    return `not yet resolved against the real source: the hash of this list, ${lock.listSha256}, is nobody's but yours`;
  }
  if (resolvedSha256 === lock.listSha256) return `the list has the hash that the definition holds, ${resolvedSha256}`;
  throw new Error(
    `${name}: the source now gives another list than the definition was resolved to (${lock.slides.length} slides, ` +
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

/** None for a file that the user has. */
function downloadOf(file: LockedFile, source: DatasetOrigin): Download[] {
  if (file.remote === null || !('endpoint' in source)) return [];
  const { remote, ...wanted } = file;
  return [{ ...wanted, url: `${source.endpoint}/${remote.split('/').map(encodeURIComponent).join('/')}` }];
}

function slidesThatAreThere({ lock, slides, folder }: ResolvedDataset, downloads: DownloadResult): DatasetSlide[] {
  const digests = new Map(downloads.received.map(({ path, sha256 }) => [path, sha256]));
  return slides
    .filter((slide) => filesOf(slide).every((file) => file.remote === null || digests.has(file.path)))
    .map((slide) => ({
      id: slide.id,
      path: join(folder, slide.file.path),
      synthetic: lock.synthetic,
      licence: lock.licence,
      origin: lock.origin,
      sha256: slide.file.sha256 ?? digests.get(slide.file.path)!,
      ...(slide.mpp !== null && { mpp: slide.mpp }),
      patient: slide.patient,
      site: slide.site,
      class: slide.class,
      mask: slide.mask && join(folder, slide.mask.path),
      annotation: slide.annotation && join(folder, slide.annotation.path),
    }));
}

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { explainDiskFull, writeFileAtomic } from '../base/index.js';
import { type Download, type DownloadResult, downloadAll } from '../download/index.js';
import type { DatasetOrigin } from './definition.js';
import { type FetchReport, fetchReport } from './fetch-report.js';
import { filesOf, type LockedFile, lockFileText } from './lock-file.js';
import { type FetchOptions, type ResolvedDataset, resolveDataset } from './resolve-dataset.js';
import type { DatasetSlide } from './slide-source.js';
import { slidesOnDisk } from './slides-on-disk.js';

export interface FetchedDataset extends ResolvedDataset {
  /** The slides with all files. */
  ready: readonly DatasetSlide[];
  downloads: DownloadResult;
  report: FetchReport;
}

/**
 * Resolves a definition into `lock.json`, downloads its files and writes `report.json`. A file that fails does not stop
 * the rest; existing files are kept.
 *
 * @throws Error when the definition cannot be resolved; DiskFullError; InterruptedError
 */
export async function fetchDataset(nameOrPath: string, options: FetchOptions = {}): Promise<FetchedDataset> {
  const dataset = await resolveDataset(nameOrPath, options);
  const { lock, slides, out } = dataset;
  const put = (name: string, text: string) =>
    explainDiskFull(
      async () => {
        await mkdir(out, { recursive: true });
        await writeFileAtomic(join(out, name), text);
      },
      () => `${name} cannot be written in ${out}; make room and run it again`,
    );
  await put('lock.json', lockFileText(lock));
  const files = slides.flatMap(filesOf).flatMap((file) => downloadOf(file, dataset.source));
  const downloads = await downloadAll(out, files, {
    ...options,
    secret: options.secret ?? tokenFor(dataset.source),
  });
  const { ready } = slidesOnDisk(dataset);
  const report = fetchReport(dataset, downloads, ready.length);
  await put('report.json', `${JSON.stringify(report, null, 2)}\n`);
  return { ...dataset, ready, downloads, report };
}

/**
 * The GDC's token, needed only for controlled-access files; it stays in the environment. It is sent only to the GDC and
 * to this machine itself.
 */
function tokenFor(source: DatasetOrigin): { header: string; value: string } | undefined {
  if (source.kind !== 'gdc') return undefined;
  const { hostname } = new URL(source.endpoint);
  const value = /(^|\.)gdc\.cancer\.gov$|^localhost$|^127\.0\.0\.1$/.test(hostname)
    ? process.env.GDC_TOKEN?.trim()
    : '';
  return value ? { header: 'x-auth-token', value } : undefined;
}

/** None for a user's own file. */
function downloadOf(file: LockedFile, source: DatasetOrigin): Download[] {
  if (file.remote === null || !('endpoint' in source)) return [];
  const { remote, ...wanted } = file;
  return [{ ...wanted, url: `${source.endpoint}/${remote.split('/').map(encodeURIComponent).join('/')}` }];
}

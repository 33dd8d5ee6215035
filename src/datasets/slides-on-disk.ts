import { statSync } from 'node:fs';
import { join } from 'node:path';
import { untouchedRecord } from '../download/index.js';
import { filesOf, type LockedFile } from './lock-file.js';
import type { ResolvedDataset } from './resolve-dataset.js';
import type { DatasetSlide } from './slide-source.js';

/**
 * The slides of a resolved dataset with all files present, and the ids of the others. A downloaded file must match its
 * record; `fetchDataset` checks files that have no record or changed since. A user's file was read when the list was
 * made. Nothing is downloaded and no slide is read.
 */
export function slidesOnDisk({ definition, lock, slides, folder }: ResolvedDataset): {
  ready: DatasetSlide[];
  missing: string[];
} {
  const tableFirst = 'pixelSize' in definition.source && definition.source.pixelSize === 'table';
  const ready: DatasetSlide[] = [];
  const missing: string[] = [];
  for (const slide of slides) {
    const digests = filesOf(slide).map((file) => sha256InPlace(folder, file));
    if (digests.includes(undefined)) {
      missing.push(slide.id);
      continue;
    }
    const { id, file, patient, site, class: name, mask, annotation, mpp, split } = slide;
    ready.push({
      id,
      path: join(folder, file.path),
      synthetic: lock.synthetic,
      licence: lock.licence,
      origin: lock.origin,
      sha256: digests[0]!,
      ...(mpp !== null && { mpp, ...(tableFirst && { mppFrom: 'caller' as const }) }),
      ...(split !== undefined && { split }),
      patient,
      site,
      class: name,
      mask: mask && join(folder, mask.path),
      annotation: annotation && join(folder, annotation.path),
    });
  }
  return { ready, missing };
}

/** Undefined if the file is missing. */
function sha256InPlace(folder: string, file: LockedFile): string | undefined {
  if (file.remote !== null) return untouchedRecord(folder, file)?.sha256;
  const size = statSync(join(folder, file.path), { throwIfNoEntry: false })?.size;
  return size === file.bytes ? (file.sha256 ?? undefined) : undefined;
}

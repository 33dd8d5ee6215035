import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { ResolvedDataset } from './fetch.js';
import { filesOf } from './lock-file.js';
import type { DatasetSlide } from './slide-source.js';

/**
 * The slides of a resolved dataset whose files all lie in their place with the size that the list says, and the ids of
 * the others. Nothing is downloaded and no file is read.
 */
export function slidesOnDisk({ lock, slides, folder }: ResolvedDataset): { ready: DatasetSlide[]; missing: string[] } {
  const isThere = (path: string, bytes: number) =>
    statSync(join(folder, path), { throwIfNoEntry: false })?.size === bytes;
  const ready: DatasetSlide[] = [];
  const missing: string[] = [];
  for (const slide of slides) {
    if (!filesOf(slide).every(({ path, bytes }) => isThere(path, bytes))) {
      missing.push(slide.id);
      continue;
    }
    const { id, file, patient, site, class: name, mask, annotation, mpp } = slide;
    ready.push({
      id,
      path: join(folder, file.path),
      synthetic: lock.synthetic,
      licence: lock.licence,
      origin: lock.origin,
      sha256: file.sha256 ?? '',
      ...(mpp !== null && { mpp }),
      patient,
      site,
      class: name,
      mask: mask && join(folder, mask.path),
      annotation: annotation && join(folder, annotation.path),
    });
  }
  return { ready, missing };
}

import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { inParallel } from '../../base/index.js';
import { readImageFile } from '../../slides/index.js';
import type { PandaSource } from '../definition.js';
import { groupsOf, hashedForm, hashOfBrightness, nearPairs } from '../perceptual-hash.js';
import type { FileDigests } from './file-digests.js';
import { faultOf, type ListedSlide, type SourceList } from './listed.js';
import { localFile } from './local-file.js';
import { readRows } from './table.js';

/** Of the full slide by its header; only the smallest level is decoded. */
const wholeSlide = { side: 2 ** 18, pixels: 2 ** 35 };

/**
 * Reads the folder of the PANDA challenge: `train.csv`, `train_images/`, `train_label_masks/`. Slides without a mask
 * are excluded, as the challenge has some. A slide in train.csv that is missing or unreadable is an invalid entry. The
 * challenge does not give patients; images that look the same count as one patient.
 *
 * @param base the folder that the definition's relative paths start from
 */
export async function listPanda(source: PandaSource, base: string, digests: FileDigests): Promise<SourceList> {
  if (source.folder === null) {
    throw new Error(
      "PANDA's host gives it only to users who accepted its rules: download train.csv, train_images and " +
        'train_label_masks, and name the folder with --from FOLDER',
    );
  }
  const folder = resolve(base, source.folder);
  const rows = await readRows(resolve(folder, 'train.csv'));
  for (const column of ['image_id', 'data_provider']) {
    if (!rows.columnNames().includes(column)) throw new Error(`${folder}/train.csv has no column "${column}"`);
  }
  const list: SourceList = { slides: [], excluded: [], from: "a user's folder" };
  const wanted = (rows.objects() as { image_id: string; data_provider: string }[]).filter((row) =>
    (source.providers as readonly string[]).includes(row.data_provider),
  );
  const found = await inParallel(wanted, async ({ image_id: id, data_provider: site }) => {
    try {
      const file = await localFile(folder, `train_images/${id}.tiff`, 'train.csv', digests);
      const maskPath = `train_label_masks/${id}_mask.tiff`;
      if (!existsSync(resolve(folder, maskPath))) {
        list.excluded.push({ id, reason: 'it has no mask in train_label_masks' });
        return undefined;
      }
      const mask = await localFile(folder, maskPath, 'its mask', digests);
      const hash = await thumbnailHash(resolve(folder, file.path));
      const slide = { id, file, patient: null, site, word: null, mask, annotation: null, mpp: null };
      return { slide: slide as ListedSlide, hash };
    } catch (error) {
      list.excluded.push(faultOf(id, new Error((error as Error).message.replaceAll(`${folder}/`, ''))));
      return undefined;
    }
  });
  const slides = found.filter((entry) => entry !== undefined) as { slide: ListedSlide; hash: Uint32Array }[];
  const pairs = nearPairs(
    slides.map(({ hash }) => hash),
    source.duplicateDistance,
  );
  const groups = groupsOf(slides.length, pairs);
  list.slides = slides.map(({ slide }, index) => ({ ...slide, patient: slides[groups[index]!]!.slide.id }));
  return list;
}

/** Hash of the smallest level, cropped to the tissue. */
async function thumbnailHash(path: string): Promise<Uint32Array> {
  const form = { ...hashedForm, of: 'tissue', limits: wholeSlide } as const;
  return hashOfBrightness((await readImageFile(path, form, path)).data);
}

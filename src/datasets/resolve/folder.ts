import { readdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { inParallel } from '../../base/index.js';
import type { FolderSource } from '../definition.js';
import type { FileDigests } from './file-digests.js';
import { faultOf, type ListedSlide, type SourceList } from './listed.js';
import { localFile } from './local-file.js';
import { idOfPath } from './table.js';

/**
 * By extension. Hidden files are ignored (`._name.png` of macOS is not an image), and so are hidden folders
 * (`.ipynb_checkpoints` contains copies).
 */
export const isImage = /^(?!\.).*\.(png|jpe?g|tiff?|webp)$/i;

/**
 * Reads a folder with a subfolder of patches for each class.
 *
 * @param base the folder that the definition's relative paths start from
 */
export async function listFolder(source: FolderSource, base: string, digests: FileDigests): Promise<SourceList> {
  const folder = resolve(base, source.folder);
  const pattern = source.patientPattern === null ? undefined : new RegExp(source.patientPattern);
  const list: SourceList = { slides: [], excluded: [], from: "a user's folder" };
  const there = (await entries(folder)).filter(({ name }) => !name.startsWith('.'));
  for (const entry of there) {
    const { name: id } = entry;
    // It may point to a class's images, so it is reported.
    if (entry.isSymbolicLink()) list.excluded.push(faultOf(id, new Error('a symbolic link, which is not followed')));
    else if (!entry.isDirectory() && isImage.test(id)) list.excluded.push({ id, reason: 'in no class folder' });
  }
  const classes = there.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  for (const word of classes.sort()) {
    const inside = await entries(resolve(folder, word));
    const nested = inside.filter((entry) => entry.isDirectory()).map(({ name }) => `${word}/${name}`);
    list.excluded.push(...nested.map((id) => ({ id, reason: 'a folder within a class folder, which is not read' })));
    const names = inside
      .filter((entry) => !entry.isDirectory())
      .map(({ name }) => name)
      .sort();
    const other = names.filter((name) => !isImage.test(name));
    list.excluded.push(...other.map((name) => ({ id: `${word}/${name}`, reason: "not an image's extension" })));
    const read = async (path: string, name: string): Promise<ListedSlide> => {
      const patient = pattern?.exec(name)?.[1] ?? null;
      if (pattern && patient === null) {
        throw new Error(`${path}: no patient in its name (${source.patientPattern})`);
      }
      const file = await localFile(folder, path, word, digests);
      return { id: idOfPath(path), file, patient, site: null, word, mask: null, annotation: null, mpp: null };
    };
    // An invalid image is excluded alone.
    const outcomes = await inParallel(
      names.filter((name) => isImage.test(name)),
      (name) => read(`${word}/${name}`, name).catch((error: Error) => faultOf(`${word}/${name}`, error)),
    );
    for (const outcome of outcomes) 'fault' in outcome ? list.excluded.push(outcome) : list.slides.push(outcome);
  }
  if (list.slides.length === 0 && !list.excluded.some(({ fault }) => fault)) {
    throw new Error(`${folder} has no subfolder with images; make a subfolder for each class`);
  }
  return list;
}

async function entries(folder: string) {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    throw new Error(`the folder ${folder} cannot be read: ${(error as Error).message}`);
  }
}

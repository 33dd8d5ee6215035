import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { inParallel, throwIfInterrupted } from '../../base/index.js';
import { isImage } from '../resolve/folder.js';
import { checkLocalFile } from '../resolve/local-file.js';
import { parseSplitName, readRows, splitNameList, splitNameOf } from '../resolve/table.js';
import { type AuditedImage, type AuditedImages, fingerprints, type ImageFacts } from './images.js';

export interface UserImagesOptions {
  /** Finds the patient in an image's path: a regular expression with one group. */
  patientPattern?: RegExp;
  /** Called with what is known of all images before any is read; may throw. */
  check?: (images: readonly ImageFacts[]) => void;
  onProgress?: (done: number, total: number) => void;
  signal?: AbortSignal;
}

type Facts = ImageFacts & { path: string };

/**
 * The images of a user's folder with an existing split: a folder for each split (train, val or validation, test), with
 * images at any depth. The folder of an image is its class, unless it is the split's.
 *
 * @throws Error when there are fewer than two splits, images are outside of them, an image cannot be read, or a path holds no
 *   patient by the pattern
 */
export async function imagesOfFolder(folder: string, options: UserImagesOptions = {}): Promise<AuditedImages> {
  const place = resolve(folder);
  const entries = await entriesOf(place);
  const folders = entries.filter((entry) => entry.isDirectory() && splitNameOf(entry.name));
  if (new Set(folders.map(({ name }) => splitNameOf(name))).size < 2) {
    throw new Error(
      `${place} is not split: it has ${entries.length === 0 ? 'nothing in it' : namesOf(entries)}, but it needs folders of at ` +
        `least two splits, named ${splitNameList}. Name such a folder, a table (.csv), or a folder that "pathlab compile" wrote`,
    );
  }
  const facts: Facts[] = [];
  let otherFiles = await filesOutsideSplits(place, entries);
  for (const { name } of folders) {
    const { images, others } = await filesIn(place, name);
    otherFiles += others;
    for (const path of images) {
      const holder = basename(dirname(path));
      facts.push({
        id: path,
        path,
        split: splitNameOf(name)!,
        slide: null,
        patient: patientIn(path, options.patientPattern),
        site: null,
        class: dirname(path) === name ? null : holder,
        synthetic: false,
      });
    }
  }
  facts.sort((one, other) => (one.path < other.path ? -1 : 1));
  return { ...(await lookedAt(place, place, facts, options)), otherFiles };
}

/**
 * The images of a table of the user's: a CSV with the columns `path` (from the table's folder) and `split`, and of `id`,
 * `slide`, `patient`, `site` and `class` those that there are.
 *
 * @throws Error that names the table, the row and what is wrong in it
 */
export async function imagesOfTable(table: string, options: UserImagesOptions = {}): Promise<AuditedImages> {
  const rows = await readRows(resolve(table));
  for (const column of ['path', 'split']) {
    if (rows.columnNames().includes(column)) continue;
    throw new Error(`${table} has no column "${column}"; it has ${rows.columnNames().join(', ')}`);
  }
  const facts = (rows.objects() as Record<string, string | undefined>[]).map((row, index): Facts => {
    const cell = (name: string) => row[name]?.trim() || null;
    const needed = (name: string) => {
      const text = cell(name);
      if (text === null) throw new Error(`${table}, row ${index + 1}: the column "${name}" is empty`);
      return text;
    };
    const path = needed('path');
    return {
      id: cell('id') ?? path,
      path,
      split: parseSplitName(needed('split'), `${table}, row ${index + 1}`),
      slide: cell('slide'),
      patient: cell('patient') ?? patientIn(path, options.patientPattern),
      site: cell('site'),
      class: cell('class'),
      // As the table of a synthetic cohort says.
      synthetic: cell('synthetic') === 'true',
    };
  });
  const splits = new Set(facts.map(({ split }) => split));
  if (splits.size < 2) throw new Error(`${table} is not split: all its rows are in "${[...splits][0]}"`);
  return lookedAt(table, dirname(resolve(table)), facts, options);
}

async function lookedAt(
  from: string,
  folder: string,
  facts: readonly Facts[],
  { signal, check, onProgress }: UserImagesOptions,
): Promise<AuditedImages> {
  if (facts.length === 0) throw new Error(`${from} has no images (png, jpg, tif, webp)`);
  check?.(facts);
  await inParallel(facts, async ({ path }, index) => {
    throwIfInterrupted(signal, 'comparing images');
    await checkLocalFile(folder, path, `${from}, image ${index + 1}`);
  });
  const paths = facts.map(({ path }) => join(folder, path));
  const images: AuditedImage[] = [];
  for await (const seen of fingerprints(paths, (place) => paths[place]!, signal)) {
    const { path: _, ...known } = facts[images.length]!;
    images.push({ ...known, ...seen });
    onProgress?.(images.length, facts.length);
  }
  return {
    name: basename(from),
    images,
    unread: [],
    total: images.length,
    otherFiles: 0,
    read: (place) => readFile(join(folder, facts[place]!.path)),
  };
}

/**
 * Counts the files outside of the folders of splits.
 *
 * @throws Error when there are images among them: they would be in no split, and the audit would miss their leaks
 */
async function filesOutsideSplits(place: string, entries: Awaited<ReturnType<typeof entriesOf>>): Promise<number> {
  const outside: string[] = [];
  let count = 0;
  for (const entry of entries) {
    if (entry.isSymbolicLink() && !isImage.test(entry.name)) {
      throw new Error(`${join(place, entry.name)} is a link, but not to an image; links to folders are not followed`);
    }
    if (entry.isDirectory() && splitNameOf(entry.name)) continue;
    const { images, others } = entry.isDirectory()
      ? await filesIn(place, entry.name)
      : { images: isImage.test(entry.name) ? [entry.name] : [], others: isImage.test(entry.name) ? 0 : 1 };
    if (images.length > 0) outside.push(entry.isDirectory() ? `${entry.name} (${images.length} images)` : entry.name);
    count += others;
  }
  if (outside.length === 0) return count;
  throw new Error(
    `${place} has images in no split: ${namesOf(outside.map((name) => ({ name })))}. Move each into a split's ` +
      `folder, give its folder the name of a split (${splitNameList}), move it elsewhere if it is not part of the split, or name a ` +
      'table (.csv) with the split of each image',
  );
}

/** Paths from `folder` of the images in one of its folders, and how many other files are in it. A link to a folder is an error. */
async function filesIn(folder: string, name: string): Promise<{ images: string[]; others: number }> {
  const found = { images: [] as string[], others: 0 };
  for (const entry of await entriesOf(join(folder, name))) {
    const path = join(name, entry.name);
    if (entry.isDirectory()) {
      const inside = await filesIn(folder, path);
      found.images.push(...inside.images);
      found.others += inside.others;
    } else if (isImage.test(entry.name)) found.images.push(path);
    else if (entry.isSymbolicLink()) {
      throw new Error(`${join(folder, path)} is a link, but not to an image; links to folders are not followed`);
    } else found.others++;
  }
  return found;
}

async function entriesOf(folder: string) {
  return readdir(folder, { withFileTypes: true }).catch((error: Error) => {
    throw new Error(`the folder ${folder} cannot be read: ${error.message}`);
  });
}

function patientIn(path: string, pattern: RegExp | undefined): string | null {
  if (!pattern) return null;
  const patient = pattern.exec(path)?.[1];
  if (patient === undefined) throw new Error(`no patient was found in ${path} by the pattern ${pattern.source}`);
  return patient;
}

function namesOf(entries: readonly { name: string }[]): string {
  const names = entries.map(({ name }) => name).sort();
  return names.slice(0, 5).join(', ') + (names.length > 5 ? `, and ${names.length - 5} more` : '');
}

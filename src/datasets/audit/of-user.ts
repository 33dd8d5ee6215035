import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { inParallel, throwIfInterrupted } from '../../runs/index.js';
import { isImage } from '../resolve/folder.js';
import { localFile } from '../resolve/local-file.js';
import { readRows } from '../resolve/table.js';
import { type AuditedPicture, type AuditedPictures, fingerprints } from './pictures.js';

export interface UserPicturesOptions {
  /** Finds the patient in a picture's path: a regular expression with one group. */
  patientPattern?: RegExp;
  onProgress?: (done: number, total: number) => void;
  signal?: AbortSignal;
}

type Facts = Omit<AuditedPicture, 'sha256' | 'hash' | 'synthetic'> & { path: string };

/** Names of folders that hold a side. */
const sideNames: Readonly<Record<string, string>> = {
  train: 'train',
  training: 'train',
  val: 'validation',
  valid: 'validation',
  validation: 'validation',
  test: 'test',
  testing: 'test',
};

/**
 * The pictures of a folder of the user's that is divided already: a folder for each side (train, val or validation,
 * test), with pictures in it at any depth. The folder that a picture lies in is its class, where that is not the side's.
 *
 * @throws Error when there are not two sides, a picture cannot be read, or a path holds no patient by the pattern
 */
export async function picturesOfFolder(folder: string, options: UserPicturesOptions = {}): Promise<AuditedPictures> {
  const place = resolve(folder);
  const entries = await entriesOf(place);
  const sides = entries.filter((entry) => entry.isDirectory() && sideNames[entry.name.toLowerCase()]);
  if (sides.length < 2) {
    throw new Error(
      `${place} is not divided: it has ${entries.length === 0 ? 'nothing in it' : namesOf(entries)}, and not two folders ` +
        `of ${Object.keys(sideNames).join(', ')}. Name a folder that has, a table (.csv), or a folder that ` +
        '"pathlab compile" made',
    );
  }
  const facts: Facts[] = [];
  let otherFiles = 0;
  for (const { name } of sides) {
    const { images, others } = await filesIn(place, name);
    otherFiles += others;
    for (const path of images) {
      const holder = basename(dirname(path));
      facts.push({
        id: path,
        path,
        side: sideNames[name.toLowerCase()]!,
        slide: null,
        patient: patientIn(path, options.patientPattern),
        site: null,
        class: dirname(path) === name ? null : holder,
      });
    }
  }
  facts.sort((one, other) => (one.path < other.path ? -1 : 1));
  return { ...(await lookedAt(place, place, facts, options)), otherFiles };
}

/**
 * The pictures of a table of the user's: a CSV with the columns `path` (from the table's folder) and `side`, and of `id`,
 * `slide`, `patient`, `site` and `class` those that there are.
 *
 * @throws Error that names the table, the row and what is wrong in it
 */
export async function picturesOfTable(table: string, options: UserPicturesOptions = {}): Promise<AuditedPictures> {
  const rows = await readRows(resolve(table));
  for (const column of ['path', 'side']) {
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
      side: needed('side'),
      slide: cell('slide'),
      patient: cell('patient') ?? patientIn(path, options.patientPattern),
      site: cell('site'),
      class: cell('class'),
    };
  });
  const sides = new Set(facts.map(({ side }) => side));
  if (sides.size < 2) throw new Error(`${table} is not divided: all its rows are on the side "${[...sides][0]}"`);
  return lookedAt(table, dirname(resolve(table)), facts, options);
}

async function lookedAt(
  from: string,
  folder: string,
  facts: readonly Facts[],
  { signal, onProgress }: UserPicturesOptions,
): Promise<AuditedPictures> {
  if (facts.length === 0) throw new Error(`${from} has no pictures (png, jpg, tif, webp)`);
  let done = 0;
  const pictures = await inParallel(facts, async ({ path, ...known }, index): Promise<AuditedPicture> => {
    throwIfInterrupted(signal, 'comparing pictures');
    await localFile(folder, path, `${from}, picture ${index + 1}`);
    const seen = await fingerprints(await readFile(join(folder, path)), join(folder, path));
    onProgress?.(++done, facts.length);
    return { ...known, synthetic: false, ...seen };
  });
  return {
    name: basename(from),
    pictures,
    unread: [],
    total: pictures.length,
    otherFiles: 0,
    read: (place) => readFile(join(folder, facts[place]!.path)),
  };
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
      throw new Error(`${join(folder, path)} is a link that names no image: links to folders are not followed`);
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
  if (patient === undefined) throw new Error(`${path} has no patient in it (${pattern.source})`);
  return patient;
}

function namesOf(entries: readonly { name: string }[]): string {
  const names = entries.map(({ name }) => name).sort();
  return names.slice(0, 5).join(', ') + (names.length > 5 ? `, and ${names.length - 5} more` : '');
}

import { z } from 'zod';
import { canonicalJson, sha256 } from '../base/index.js';
import { readJsonFile } from './json-file.js';
import {
  count,
  duplicateFaults,
  faults,
  fileName,
  innerPath,
  isObject,
  listOf,
  md5Digest,
  objectOf,
  oneOf,
  positive,
  sha256Digest,
  text,
  trueOrFalse,
  valueThat,
} from './schema.js';

/** A file, with the source's metadata. */
const file = objectOf({
  /** Path in the dataset's folder; for a user's file, in the folder that the definition names. */
  path: innerPath,
  /** Its URL relative to the source's endpoint; null for a user's file. */
  remote: innerPath.nullable(),
  bytes: count,
  md5: md5Digest.nullable(),
  sha256: sha256Digest.nullable(),
  etag: text.nullable(),
});

/** One slide of the list, or one patch. `null`: unknown. */
const lockedSlide = objectOf({
  /** Names the slide in shards, tables and splits; also a file's name. */
  id: fileName,
  file,
  patient: text.nullable(),
  site: text.nullable(),
  /** Name of its class, if the whole slide has one. */
  class: text.nullable(),
  mask: file.nullable(),
  annotation: file.nullable(),
  /** Size of a level-0 pixel, um, if in the user's table. */
  mpp: positive.nullable(),
  /** Its split in the user's table, if given. */
  split: oneOf('train', 'validation', 'test').optional(),
});

const excludedSlide = objectOf({
  id: text,
  reason: text,
  /** Excluded because the entry is invalid, not by the definition: it needs attention. */
  fault: z.literal(true).optional(),
});

const lockFormat = 2;

const lockFile = objectOf({
  format: z.literal(lockFormat),
  /** Name and hash of the definition. */
  definition: text,
  definitionSha256: sha256Digest,
  unit: oneOf('slides', 'patches'),
  synthetic: trueOrFalse,
  origin: text,
  licence: text,
  /** Where the list came from: an address, or "a user's folder". */
  resolvedFrom: text,
  /** Hash of `slides` (or patches), the list that everything else is made from. */
  listSha256: sha256Digest,
  /** Checked one by one by `slideFaults`. */
  slides: valueThat<readonly LockedSlide[]>('a list', Array.isArray),
  /** Entries of the source that the dataset excludes, by reason. */
  excluded: listOf(excludedSlide),
});

/** A definition resolved against its source: the exact list of files. It contains no times and no secrets. */
export type LockFile = Readonly<z.infer<typeof lockFile>>;
export type LockedSlide = Readonly<z.infer<typeof lockedSlide>>;
export type LockedFile = Readonly<z.infer<typeof file>>;
export type ExcludedSlide = Readonly<z.infer<typeof excludedSlide>>;

/** Hash of a list of slides: it does not depend on the source's order. */
export function listSha256(slides: readonly LockedSlide[]): string {
  return sha256(canonicalJson(sortedById(slides)));
}

/** A lock file's text: one slide per line, sorted by id, for line-by-line comparison. */
export function lockFileText(lock: Omit<LockFile, 'listSha256'>): string {
  const slides = sortedById(lock.slides);
  const excluded = sortedById(lock.excluded);
  const { slides: _, excluded: __, ...head } = lock;
  const whole = { ...head, listSha256: listSha256(slides) };
  const lines = (list: readonly object[]) => list.map((entry) => `    ${canonicalJson(entry)}`).join(',\n');
  const fields = Object.entries(whole).map(([name, value]) => `  ${JSON.stringify(name)}: ${JSON.stringify(value)}`);
  return `{\n${fields.join(',\n')},\n  "slides": [\n${lines(slides)}\n  ],\n  "excluded": [\n${lines(excluded)}\n  ]\n}\n`;
}

/** Sorted by id, independently of the machine's locale. */
export function sortedById<T extends { id: string }>(list: readonly T[]): T[] {
  return [...list].sort((one, other) => (one.id < other.id ? -1 : one.id > other.id ? 1 : 0));
}

/**
 * Reads a lock file and checks all of it, including its hash.
 *
 * @throws Error that names the file and its errors, slide by slide (the first five)
 */
export function readLockFile(path: string): LockFile {
  const content = readJsonFile(path, 'the lock file');
  if (isObject(content) && content.format !== lockFormat) {
    throw new Error(
      `the lock file ${path} has format ${JSON.stringify(content.format)}; this version of pathlab reads format ` +
        `${lockFormat}. Run "pathlab fetch" with --refresh to list the source again; downloaded files are kept`,
    );
  }
  const wrong = lockFaults(content);
  if (wrong.length > 0) {
    const more = wrong.length > 5 ? `; and ${wrong.length - 5} more` : '';
    throw new Error(`the lock file ${path} is invalid: ${wrong.slice(0, 5).join('; ')}${more}`);
  }
  return content as LockFile;
}

/** The errors in a lock file's content, one short sentence each. */
function lockFaults(content: unknown): string[] {
  const found = faults(content, lockFile, 'a lock file');
  if (found.length > 0) return found;
  const lock = content as LockFile;
  found.push(...slideFaults(lock.slides));
  if (found.length === 0 && listSha256(lock.slides) !== lock.listSha256) {
    found.push('its list of slides was changed: listSha256 does not match');
  }
  return found;
}

/** The errors in one slide of a list. */
export function faultsOfSlide(slide: LockedSlide): string[] {
  return faults(slide, lockedSlide, 'a locked slide');
}

/** The errors in the slides of a list: fields, paths that leave their folder, duplicate ids and files. */
export function slideFaults(slides: readonly LockedSlide[]): string[] {
  const found = slides.flatMap((slide, row) => {
    const name = typeof slide?.id === 'string' ? JSON.stringify(slide.id) : `number ${row + 1}`;
    return faultsOfSlide(slide).map((fault) => `slide ${name}: ${fault}`);
  });
  if (found.length > 0) return found;
  // On file systems that ignore case these would be one file.
  found.push(
    ...duplicateFaults(
      slides.map(({ id }) => id.toLowerCase()),
      'the list of slides',
      'id',
    ),
  );
  const paths = slides.flatMap(filesOf).map(({ path }) => path.toLowerCase());
  found.push(...duplicateFaults(paths, 'the list of files', 'path'));
  return found;
}

/** The files of a slide: its own, then its mask and annotation, if any. */
export function filesOf(slide: LockedSlide): LockedFile[] {
  return [slide.file, slide.mask, slide.annotation].filter((file): file is LockedFile => file !== null);
}

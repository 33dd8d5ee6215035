import { z } from 'zod';
import { canonicalJson, sha256 } from '../base/index.js';
import { readJsonFile } from './json-file.js';
import {
  count,
  duplicateFaults,
  faults,
  fileName,
  innerPath,
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

/** A file and what the source says of it. */
const file = objectOf({
  /** Place in the dataset's folder; of a file that the user has, in the folder that the definition names. */
  path: innerPath,
  /** Its address, from the source's endpoint on; null for a file that the user has. */
  remote: innerPath.nullable(),
  bytes: count,
  md5: md5Digest.nullable(),
  sha256: sha256Digest.nullable(),
  etag: text.nullable(),
});

/** One slide of the list, or one patch. `null`: the source does not say. */
const lockedSlide = objectOf({
  /** Names the slide in shards, tables and splits; also a file's name. */
  id: fileName,
  file,
  patient: text.nullable(),
  site: text.nullable(),
  /** Name of its class, where a whole slide has one. */
  class: text.nullable(),
  mask: file.nullable(),
  annotation: file.nullable(),
  /** Size of a level-0 pixel, um, where the user's table says it. */
  mpp: positive.nullable(),
  /** The split that the user's table puts it in, where it does. */
  side: oneOf('train', 'validation', 'test').optional(),
});

const excludedSlide = objectOf({
  id: text,
  reason: text,
  /** Left out because its entry is wrong, not because the definition does not want it: somebody must look at it. */
  fault: z.literal(true).optional(),
});

const lockFile = objectOf({
  format: z.literal(1, { error: '1' }),
  /** Name of the definition, and the hash of what it asks for. */
  definition: text,
  definitionSha256: sha256Digest,
  unit: oneOf('slides', 'patches'),
  synthetic: trueOrFalse,
  origin: text,
  licence: text,
  /** Where the list came from: an address, or "a folder of the user's". */
  resolvedFrom: text,
  /** Hash of `slides` (or patches), the list that everything below a lock file is made from. */
  listSha256: sha256Digest,
  /** Checked one by one by `slideFaults`. */
  slides: valueThat<readonly LockedSlide[]>('a list', Array.isArray),
  /** What the source lists and the dataset leaves out, by reason. */
  excluded: listOf(excludedSlide),
});

/** A definition resolved against its source: exactly which files it is made of. Holds no times and no secrets. */
export type LockFile = Readonly<z.infer<typeof lockFile>>;
export type LockedSlide = Readonly<z.infer<typeof lockedSlide>>;
export type LockedFile = Readonly<z.infer<typeof file>>;
export type ExcludedSlide = Readonly<z.infer<typeof excludedSlide>>;

/** Hash of a list of slides: equal for equal lists, whatever the order in which the source gave them. */
export function listSha256(slides: readonly LockedSlide[]): string {
  return sha256(canonicalJson(sortedById(slides)));
}

/** A lock file's text: a slide a line, in the order of ids, so that two versions can be compared line by line. */
export function lockFileText(lock: Omit<LockFile, 'listSha256'>): string {
  const slides = sortedById(lock.slides);
  const excluded = sortedById(lock.excluded);
  const { slides: _, excluded: __, ...head } = lock;
  const whole = { ...head, listSha256: listSha256(slides) };
  const lines = (list: readonly object[]) => list.map((entry) => `    ${canonicalJson(entry)}`).join(',\n');
  const fields = Object.entries(whole).map(([name, value]) => `  ${JSON.stringify(name)}: ${JSON.stringify(value)}`);
  return `{\n${fields.join(',\n')},\n  "slides": [\n${lines(slides)}\n  ],\n  "excluded": [\n${lines(excluded)}\n  ]\n}\n`;
}

/** In the order of ids, which does not depend on the machine's language. */
export function sortedById<T extends { id: string }>(list: readonly T[]): T[] {
  return [...list].sort((one, other) => (one.id < other.id ? -1 : one.id > other.id ? 1 : 0));
}

/**
 * Reads a lock file and checks all of it, its hash too.
 *
 * @throws Error that names the file and what is wrong in it, slide by slide (the first five)
 */
export function readLockFile(path: string): LockFile {
  const content = readJsonFile(path, 'the lock file');
  const wrong = lockFaults(content);
  if (wrong.length > 0) {
    const more = wrong.length > 5 ? `; and ${wrong.length - 5} more` : '';
    throw new Error(`the lock file ${path} is invalid: ${wrong.slice(0, 5).join('; ')}${more}`);
  }
  return content as LockFile;
}

/** What is wrong with a lock file's content, one short sentence each. */
function lockFaults(content: unknown): string[] {
  const found = faults(content, lockFile, 'a lock file');
  if (found.length > 0) return found;
  const lock = content as LockFile;
  found.push(...slideFaults(lock.slides));
  if (found.length === 0 && listSha256(lock.slides) !== lock.listSha256) {
    found.push('its list of slides was changed: listSha256 is not the hash of it');
  }
  return found;
}

/** What is wrong with one slide of a list, taken alone. */
export function faultsOfSlide(slide: LockedSlide): string[] {
  return faults(slide, lockedSlide, 'a locked slide');
}

/** What is wrong with the slides of a list: fields, names that leave their folder, ids and files that occur twice. */
export function slideFaults(slides: readonly LockedSlide[]): string[] {
  const found = slides.flatMap((slide, row) => {
    const name = typeof slide?.id === 'string' ? JSON.stringify(slide.id) : `number ${row + 1}`;
    return faultsOfSlide(slide).map((fault) => `slide ${name}: ${fault}`);
  });
  if (found.length > 0) return found;
  // File systems that ignore case would put two such slides into one file.
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

/** The files of a slide: its own, then the mask and the annotation where there are any. */
export function filesOf(slide: LockedSlide): LockedFile[] {
  return [slide.file, slide.mask, slide.annotation].filter((file): file is LockedFile => file !== null);
}

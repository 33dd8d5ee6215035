import { createReadStream, readdirSync, readFileSync } from 'node:fs';
import { copyFile, mkdir, open, readFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { sha256, writeFileAtomic } from '../../base/index.js';
import { UsageError } from '../usage-error.js';
import type { ChosenRun } from './choose-runs.js';
import { type MachineWord, machineWordsIn, replaceWords, topFolders, wordsOfRun } from './machine-words.js';

/** A file that is not published as the run left it. */
export interface AlteredFile {
  file: string;
  /** SHA-256 of the run's own file. */
  original: string;
  /** How often each kind of text was replaced. */
  replaced: Readonly<Record<string, number>>;
}

/** Says in a published `provenance.json` what the site changed; a run that was published as it is has none. */
export interface PublishedProvenance {
  published?: { altered: readonly AlteredFile[] };
}

/** The files of a run that a site has: all but checkpoints and locks. */
export function filesOfRun(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .filter((name) => !/(^|\/)\.|^checkpoints\/|\.partial$/.test(name))
    .sort();
}

/** Whether a file of a run is a model's weights; predictions have the same format. */
export const isWeights = (name: string) => name.endsWith('.safetensors') && !name.startsWith('predictions/');

/**
 * Copies a run into a site, without its weights, and without texts of this machine in its files.
 *
 * @param to the run's folder in the site
 * @returns which files are not as the run left them
 * @throws UsageError that names a file with a path or name of the machine that nothing replaces
 */
export async function copyRun({ run }: ChosenRun, to: string, given: readonly MachineWord[]): Promise<AlteredFile[]> {
  const words = runWords(run.folder, given);
  const altered: AlteredFile[] = [];
  const names = filesOfRun(run.folder).filter((name) => !isWeights(name) && name !== 'provenance.json');
  for (const name of names) {
    const [source, target] = [join(run.folder, name), join(to, name)];
    if (!(await isText(source))) {
      await requireClean(source, words);
      await copyFileInto(source, target);
      continue;
    }
    const bytes = await readFile(source);
    const original = bytes.toString('utf8');
    const { text, replaced } = replaceWords(original, words);
    requireNoWords(source, text, given, words);
    if (text === original) await copyFileInto(source, target);
    else if (!Buffer.from(original).equals(bytes)) {
      throw new UsageError(`${source} is not UTF-8, so that paths in it cannot be replaced: leave the run out`);
    } else {
      await writeFileAtomic(target, text);
      altered.push({ file: name, original: sha256(bytes), replaced });
    }
  }
  return [...altered, ...(await copyProvenance(run.folder, to, { words, given, altered }))];
}

async function copyFileInto(source: string, target: string): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  await copyFile(source, target);
}

/** What is replaced in the texts of a run. */
export function runWords(folder: string, given: readonly MachineWord[]): MachineWord[] {
  const json = (name: string) => JSON.parse(readFileSync(join(folder, name), 'utf8'));
  const { metadata } = filesOfRun(folder).includes('notebook.ipynb') ? json('notebook.ipynb') : { metadata: {} };
  return wordsOfRun([json('parameters.json'), json('provenance.json'), metadata], given);
}

/** Comes last, because it says what was changed. */
async function copyProvenance(
  folder: string,
  to: string,
  {
    words,
    given,
    altered,
  }: { words: readonly MachineWord[]; given: readonly MachineWord[]; altered: readonly AlteredFile[] },
): Promise<AlteredFile[]> {
  const source = join(folder, 'provenance.json');
  const original = await readFile(source, 'utf8');
  const { text, replaced } = replaceWords(original, words);
  requireNoWords(source, text, given, words);
  if (text === original && altered.length === 0) {
    await writeFileAtomic(join(to, 'provenance.json'), original);
    return [];
  }
  const own = { file: 'provenance.json', original: sha256(original), replaced };
  const published = { altered: [...altered, own] };
  await writeFileAtomic(
    join(to, 'provenance.json'),
    `${JSON.stringify({ ...JSON.parse(text), published }, null, 2)}\n`,
  );
  return [own];
}

/** Whether a file is text: no zero byte at its start. */
export async function isText(path: string): Promise<boolean> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(64 * 1024), 0, 64 * 1024, 0);
    return !buffer.subarray(0, bytesRead).includes(0);
  } finally {
    await file.close();
  }
}

/**
 * @param words of the run that the text is of
 * @throws UsageError naming what a text still has
 */
export function requireNoWords(
  path: string,
  text: string,
  given: readonly MachineWord[],
  words: readonly MachineWord[] = [],
): void {
  const [found, ...others] = machineWordsIn(text, given, topFolders(words));
  if (found === undefined) return;
  const more = others.length > 0 ? ` and ${others.length} more: ${others.slice(0, 5).join(', ')}` : '';
  throw new UsageError(
    `${path} has "${found}"${more}, which tells of a machine: replace it with --replace ${found}=WORDS, keep it with ` +
      `--replace ${found}=${found}, or leave the run out`,
  );
}

/** @throws UsageError for bytes that have one of the paths, which cannot be replaced in them */
export async function requireClean(path: string, words: readonly MachineWord[]): Promise<void> {
  const needles = words.filter(({ text, replacement, what }) => text !== replacement && isTelling(text, what));
  const longest = Math.max(0, ...needles.map(({ text }) => Buffer.byteLength(text)));
  let rest = Buffer.alloc(0);
  for await (const block of createReadStream(path, { highWaterMark: 1 << 20 })) {
    const bytes = Buffer.concat([rest, block as Buffer]);
    const found = needles.find(({ text }) => bytes.includes(text));
    if (found) {
      throw new UsageError(
        `${path} is not text and has "${found.text}" (${found.what}): leave the run out, or keep it with ` +
          `--replace ${found.text}=${found.text}`,
      );
    }
    rest = bytes.subarray(Math.max(0, bytes.length - longest));
  }
}

/** Short paths are in random bytes by chance. */
const isTelling = (text: string, what: string) => text.length >= 8 || what === 'a text of --replace';

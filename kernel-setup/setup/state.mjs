import { createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { inState } from './paths.mjs';

// A step of set-up is done when its stamp says so: the fingerprint of what went into it, written last. A step that was
// killed leaves no stamp and starts again.

export const hashOf = (content) => createHash('sha256').update(content).digest('hex');
export const hashOfFile = (path) => (existsSync(path) ? hashOf(readFileSync(path)) : 'absent');

/** SHA-256 over names and bytes of the files under a folder that `keep` accepts, in name order. */
export function hashOfTree(folder, keep = () => true) {
  const hash = createHash('sha256');
  const visit = (at, prefix) => {
    if (!existsSync(at)) return;
    for (const entry of readdirSync(at, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (entry.isDirectory()) visit(join(at, entry.name), `${prefix}${entry.name}/`);
      else if (keep(prefix + entry.name)) hash.update(`${prefix}${entry.name}\0${hashOfFile(join(at, entry.name))}\n`);
    }
  };
  visit(folder, '');
  return hash.digest('hex');
}

export const fingerprintOf = (inputs) => hashOf(JSON.stringify(inputs));

const stampFile = (step) => inState('state', `${step}.json`);

/** What a finished step left behind, or undefined. */
export function readStamp(step) {
  try {
    return JSON.parse(readFileSync(stampFile(step), 'utf8'));
  } catch (error) {
    if (error.code === 'ENOENT' || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

export const removeStamp = (step) => rmSync(stampFile(step), { force: true });

export const writeStamp = (step, stamp) => writeWhole(stampFile(step), `${JSON.stringify(stamp, null, 2)}\n`);

/** Writes a file so that a reader sees all of it or what was there before. */
export function writeWhole(path, content) {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}-${randomBytes(4).toString('hex')}.partial`;
  const file = openSync(temporary, 'w');
  try {
    writeFileSync(file, content);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
}

/** An empty folder for something that is being built. Whatever a killed run left in `.pathlab/building` goes first. */
export function emptyBuildingFolder(name) {
  const folder = inState('building', `${name}-${randomBytes(4).toString('hex')}`);
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** Puts `built` where `place` is, in two renames, and returns what was there before, for deletion. */
export function replaceFolder(built, place) {
  const old = inState('building', `old-${randomBytes(4).toString('hex')}`);
  const hadOld = existsSync(place);
  if (hadOld) renameSync(place, old);
  renameSync(built, place);
  return hadOld ? old : undefined;
}

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type LockedSlide, type LockFile, lockFileText, readLockFile } from '../../src/datasets/index.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pathlab-lock-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function slide(id: string, change: Partial<LockedSlide> = {}): LockedSlide {
  const file = { path: `slides/${id}.svs`, remote: null, bytes: 12, md5: null, sha256: null, etag: null };
  return { id, file, patient: 'p', site: null, class: null, mask: null, annotation: null, mpp: null, ...change };
}

const head: Omit<LockFile, 'slides' | 'listSha256'> = {
  format: 2,
  definition: 'mine',
  definitionSha256: '0'.repeat(64),
  unit: 'slides',
  synthetic: false,
  origin: 'here',
  licence: 'CC0-1.0',
  resolvedFrom: "a folder of the user's",
  excluded: [{ id: 'z', reason: 'too small' }],
};

function write(slides: readonly LockedSlide[], change = (text: string) => text): string {
  const path = join(folder, 'lock.json');
  writeFileSync(path, change(lockFileText({ ...head, slides })));
  return path;
}

describe('lock files', () => {
  it('come back as they were, in the order of ids, whatever order they were given in', () => {
    const lock = readLockFile(write([slide('b'), slide('a')]));
    expect(lock.slides.map(({ id }) => id)).toEqual(['a', 'b']);
    expect(lock).toMatchObject(head);
    expect(lockFileText(lock)).toBe(lockFileText({ ...head, slides: [slide('a'), slide('b')] }));
  });

  it.each<[string, readonly LockedSlide[], RegExp]>([
    [
      'a path leaves',
      [slide('a', { file: { ...slide('a').file, path: '../a.svs' } })],
      /slide "a": file\.path must be a/,
    ],
    [
      'a mask leaves',
      [slide('a', { mask: { ...slide('a').file, path: '/etc/x' } })],
      /slide "a": mask\.path must be a/,
    ],
    ['an id leaves', [slide('../a')], /slide "\.\.\/a": id must be a name/],
    ['an id occurs twice', [slide('a'), slide('b'), slide('a')], /the list of slides has the id "a" more than once/],
    ['two ids differ in case only', [slide('a'), slide('A')], /the id "a" more than once/],
    [
      'a file occurs twice',
      [slide('a'), slide('b', { file: slide('a').file })],
      /the list of files has the path "slides\/a\.svs" more than once/,
    ],
    ['a field is unknown', [{ ...slide('a'), token: 'x' } as LockedSlide], /token is not a field of a locked slide/],
  ])('are refused when %s', (_, slides, message) => {
    expect(() => readLockFile(write(slides))).toThrow(message);
  });

  it('are refused when the list was changed, the head is wrong, or the text is none', () => {
    expect(() => readLockFile(write([slide('a')], (text) => text.replace('"bytes":12', '"bytes":13')))).toThrow(
      /its list of slides was changed/,
    );
    expect(() => readLockFile(write([], (text) => text.replace('"format": 2', '"format": 1')))).toThrow(
      /has format 1; this version of pathlab reads format 2\. Run "pathlab fetch" with --refresh/,
    );
    expect(() => readLockFile(write([], (text) => text.slice(0, 40)))).toThrow(/lock\.json cannot be read/);
  });

  it('name the first five faults and count the rest', () => {
    const wrong = Array.from({ length: 8 }, (_, row) => slide(`s${row}`, { mpp: -1 }));
    expect(() => readLockFile(write(wrong))).toThrow(/slide "s4": mpp must be a number above 0.*; and 3 more$/);
  });
});

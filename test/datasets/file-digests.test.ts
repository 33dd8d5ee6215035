import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sha256 } from '../../src/base/index.js';
import { FileDigests } from '../../src/datasets/resolve/file-digests.js';

const planted = 'f'.repeat(64);
const [one, two] = ['one', 'two'].map((text) => sha256(text)) as [string, string];
let folder: string;
let kept: string;
let slide: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pathlab-digests-'));
  kept = join(folder, 'out', 'digests.json');
  slide = join(folder, 'slide.tif');
  writeFileSync(slide, 'one');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** As a command does that makes the list. */
async function digest(options: Parameters<typeof FileDigests.open>[1] = {}): Promise<string> {
  const digests = await FileDigests.open(kept, options);
  const found = await digests.of(slide, 'slide.tif');
  await digests.keep();
  return found;
}

/** Who gives this digest of a file has not read it. */
const plant = () => writeFileSync(kept, readFileSync(kept, 'utf8').replace(/[0-9a-f]{64}/, planted));

describe("digests of the user's files", () => {
  it('are not kept of a file that was written a moment ago: it may be once more', async () => {
    expect(await digest()).toBe(one);
    expect(existsSync(kept)).toBe(false);
  });

  it('are kept while a file stands, also by who was told to stop', async () => {
    await sleep(2100);
    const stop = new AbortController();
    const digests = await FileDigests.open(kept, { signal: stop.signal });
    expect(await digests.of(slide, 'slide.tif')).toBe(one);
    stop.abort();
    await expect(digests.of(slide, 'other.tif')).rejects.toMatchObject({ name: 'InterruptedError' });
    await digests.keep();
    plant();
    expect(await digest()).toBe(planted);
    expect(await digest({ everyByte: true })).toBe(one);
  });

  it('are made anew of a file of the same size and time that was put in its place', async () => {
    plant();
    const { atime, mtime } = statSync(slide);
    writeFileSync(slide, 'two');
    utimesSync(slide, atime, mtime);
    expect(await digest()).toBe(two);
  });

  it.each(['', '{', '[["slide.tif"]]', '[["slide.tif", ["3 1 1", "abc"]]]'])(
    'are made anew where what was kept is damaged: %j',
    async (text) => {
      writeFileSync(kept, text);
      expect(await digest()).toBe(two);
    },
  );
});

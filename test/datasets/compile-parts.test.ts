import { readFileSync, rmSync, truncateSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FileLock } from '../../src/base/index.js';
import {
  compileDataset,
  compilePart,
  type DatasetSlide,
  finishDataset,
  type SlideDataset,
} from '../../src/datasets/index.js';
import { digests, smallDataset, temporaryFolder } from './small-dataset.js';

let dataset: SlideDataset;
/** Digest of each file of an undisturbed run. */
let expected: Record<string, string>;
let folder: string;
beforeAll(async () => {
  folder = temporaryFolder();
  dataset = await smallDataset(5);
  expected = await digests((await compileDataset(dataset, { data: join(folder, 'undisturbed') })).folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const data = () => join(temporaryFolder(), 'data');
const withoutLocks = async (made: string) =>
  Object.fromEntries(Object.entries(await digests(made)).filter(([name]) => !name.endsWith('.lock')));

describe('a dataset that is compiled in parts', () => {
  it.each([2, 3])('of %s comes out as one compiled at once, each slide in one part', async (of) => {
    const where = { data: data() };
    let made = '';
    let shards = 0;
    for (let number = of; number >= 1; number--) {
      const part = await compilePart(dataset, { number, of }, where);
      expect(part.failures).toEqual([]);
      made = part.folder;
      shards += part.shards;
      if (number > 1) await expect(finishDataset(dataset, where)).rejects.toThrow(/run the parts that have not ended/);
    }
    expect(shards).toBe(5);
    expect(Object.keys(await digests(made))).not.toContain('index.arrow');
    const finished = await finishDataset(dataset, where);
    expect(await withoutLocks(finished.folder)).toEqual(expected);
  });

  it('reports slides that failed in a part, with the reason of the part', async () => {
    const [first] = dataset.slides as [DatasetSlide, ...DatasetSlide[]];
    const copy = join(temporaryFolder(), basename(first.path));
    await copyFile(first.path, copy);
    truncateSync(copy, 5000);
    const slides = dataset.slides.map((slide) => (slide === first ? { ...slide, path: copy } : slide));
    const where = { data: data() };
    const { failures } = await compilePart({ ...dataset, slides }, { number: 1, of: 1 }, where);
    expect(failures).toEqual([{ slide: first.id, reason: expect.any(String) }]);
    const { report } = await finishDataset({ ...dataset, slides }, where);
    expect(report.failures).toEqual(failures);
    expect(report.slides.length).toBe(4);
  });

  it('is not finished with a shard of files that have changed since', async () => {
    const where = { data: data() };
    await compilePart(dataset, { number: 1, of: 1 }, where);
    const slides = dataset.slides.map((slide, place) => (place === 0 ? { ...slide, class: 'other' } : slide));
    await expect(finishDataset({ ...dataset, slides }, where)).rejects.toThrow(
      `1 of 5 slides have no shard made from their current files (${slides[0]!.id}): run the parts`,
    );
  });

  it('refuses a part twice at once, a part beside the whole, and the end beside a part', async () => {
    const where = { data: data() };
    const { folder: made } = await compilePart(dataset, { number: 1, of: 2 }, where);
    const own = await FileLock.take(join(made, '.part-2-of-2.lock'));
    await expect(compilePart(dataset, { number: 2, of: 2 }, where)).rejects.toThrow(
      `part 2 of 2 in ${made} is being compiled by process ${process.pid} on `,
    );
    await own!.release();
    const whole = await FileLock.take(join(made, '.compile.lock'));
    await expect(compilePart(dataset, { number: 2, of: 2 }, where)).rejects.toThrow(`${made} is being compiled by `);
    await whole!.release();
    const part = await FileLock.take(join(made, '.compile.lock'), { shared: true });
    await expect(finishDataset(dataset, where)).rejects.toThrow(`${made} is being compiled by `);
    await part!.release();
  });

  it.each([
    { number: 0, of: 2 },
    { number: 3, of: 2 },
    { number: 1.5, of: 2 },
  ])('has no part %j', async (part) => {
    await expect(compilePart(dataset, part, { data: data() })).rejects.toThrow(/a part is 1\/N to N\/N/);
  });
});

describe('two processes that compile one folder', () => {
  it('do so in turn, and the second says for whom it waits', async () => {
    const where = data();
    const { folder: made } = await compileDataset({ ...dataset, slides: dataset.slides.slice(0, 2) }, { data: where });
    const other = await FileLock.take(join(made, '.compile.lock'));
    const reasons: string[] = [];
    await compileDataset(dataset, {
      data: where,
      onWait(reason) {
        reasons.push(reason);
        other!.release();
      },
    });
    expect(reasons).toEqual([expect.stringMatching(`^process ${process.pid} on .* is compiling the same folder`)]);
    expect(await digests(made)).toEqual(expected);
  });

  it('of which the first is interrupted while it waits leave the folder alone', async () => {
    const where = data();
    const { folder: made } = await compileDataset(dataset, { data: where });
    const lock = await FileLock.take(join(made, '.compile.lock'));
    const before = readFileSync(join(made, 'report.json'), 'utf8');
    const waiting = compileDataset(dataset, { data: where, signal: AbortSignal.timeout(10) });
    await expect(waiting).rejects.toThrow(/waiting for another process .* was interrupted/);
    await lock!.release();
    expect(readFileSync(join(made, 'report.json'), 'utf8')).toBe(before);
  });
});

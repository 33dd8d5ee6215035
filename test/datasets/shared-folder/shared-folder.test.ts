import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Job } from '../../../src/datasets/compile/job.js';
import {
  compileDataset,
  type DatasetSlide,
  openShardDataset,
  readShard,
  type SlideDataset,
} from '../../../src/datasets/index.js';
import { ShardWriter } from '../../../src/datasets/shards/index.js';
import { key } from '../../../src/runs/index.js';
import { digests, smallDataset, temporaryFolder } from '../small-dataset.js';

const program = fileURLToPath(new URL('./compile-child.mjs', import.meta.url));

let folder: string;
let dataset: SlideDataset;
/** The folder of an undisturbed run, and the digest of each of its files. */
let undisturbed: string;
let expected: Record<string, string>;
const running: ChildProcess[] = [];
beforeAll(async () => {
  folder = temporaryFolder();
  dataset = await smallDataset(4);
  undisturbed = (await compileDataset(dataset, { data: join(folder, 'undisturbed') })).folder;
  expected = await digests(undisturbed);
});
afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface ChildOptions {
  data: string;
  machine?: string;
  speed?: number;
  stopAt?: string[];
}

/** A process that compiles; `has` waits until it has told so. */
function begin(content: SlideDataset, options: ChildOptions) {
  const path = join(temporaryFolder(), 'dataset.json');
  writeFileSync(path, JSON.stringify(content));
  const child = spawn(process.execPath, [program, JSON.stringify({ dataset: path, ...options })]);
  running.push(child);
  const said = { out: '', error: '' };
  child.stdout.on('data', (text) => {
    said.out += text;
  });
  child.stderr.on('data', (text) => {
    said.error += text;
  });
  const ended = once(child, 'close').then(([code]) => ({ code, error: said.error }));
  const has = async (words: string) => {
    while (!said.out.includes(words)) {
      if (child.exitCode !== null) throw new Error(`it ended without "${words}": ${said.error}`);
      await sleep(20);
    }
  };
  return { child, ended, has, said };
}

const data = () => join(temporaryFolder(), 'data');
/** Where the shards of an undisturbed run lie, below another data folder. */
const madeIn = (where: string, of = undisturbed) => join(where, basename(dirname(of)), basename(of));

/** Every row of the index is of a shard that is there and whole, and nothing is half-written. */
async function expectWhole(made: string): Promise<void> {
  expect(readdirSync(made).filter((name) => name.endsWith('.partial'))).toEqual([]);
  const { shardNames, report } = await openShardDataset(made);
  for (const name of shardNames) await readShard(join(made, name));
  expect(report.slides.map(({ shard }) => shard)).toEqual([...shardNames]);
}

describe('two processes with one list', () => {
  it.each([1, 2, 3])('on two machines leave what one leaves, though one is killed (%s)', async (trial) => {
    const random = key('two machines').fold(trial).generator();
    const where = data();
    const options = { data: where, speed: 20 };
    const one = begin(dataset, { ...options, machine: 'one' });
    const two = begin(dataset, { ...options, machine: 'two' });
    await Promise.race([one.has(' compiled'), two.has(' compiled')]);
    await sleep(random.uniform() * 300);
    one.child.kill('SIGKILL');
    expect(await two.ended).toEqual({ code: 0, error: '' });
    expect(await digests(madeIn(where))).toEqual(expected);
  });

  it('on two machines tell of a shard that one removes because its own copy of the slide is damaged', async () => {
    const where = data();
    const made = madeIn(where);
    await compileDataset(dataset, { data: where });
    const [first] = dataset.slides as [DatasetSlide, ...DatasetSlide[]];
    const copy = join(temporaryFolder(), basename(first.path));
    await copyFile(first.path, copy);
    truncateSync(copy, 5000);
    const damaged = {
      ...dataset,
      slides: dataset.slides.map((slide) => (slide === first ? { ...slide, path: copy } : slide)),
    };
    // The other has looked at all shards, and is about to read them.
    const other = begin(dataset, { data: where, machine: 'other', stopAt: dataset.slides.map(({ id }) => id) });
    for (const { id } of dataset.slides) await other.has(id);
    expect(await begin(damaged, { data: where, machine: 'one' }).ended).toEqual({ code: 0, error: '' });
    await expectWhole(made);
    expect(existsSync(join(made, `${first.id}.tar`))).toBe(false);
    other.child.kill('SIGCONT');
    const { code, error } = await other.ended;
    expect([code, error]).toEqual([1, expect.stringMatching(/tar is gone, or no longer the shard .* compile again/)]);
    await expectWhole(made);
    expect(await begin(dataset, { data: where, machine: 'other' }).ended).toEqual({ code: 0, error: '' });
    expect(await digests(made)).toEqual(expected);
  });
});

describe('a slide that fails in one process', () => {
  it.each([
    ['and gives its shard in another, from the same file, has not failed', 'a', []],
    ['and gave its shard before it changed, loses it', 'b', [{ slide: 'x', reason: 'out of memory' }]],
  ])('%s', async (_, madeThere, failures) => {
    const shards = temporaryFolder();
    mkdirSync(join(shards, 'claims'));
    const write = async (id: string, made: string) => {
      const writer = await ShardWriter.create(join(shards, `${id}.tar`), id, made);
      await writer.finish({});
    };
    const unit = (id: string, made: string, compile: (shard: string) => Promise<never[]>) => ({
      ...{ id, paths: [] },
      prepare: async () => ({ made, compile }),
    });
    const good = unit('good', 'c', async () => {
      await write('good', 'c');
      return [];
    });
    const failing = unit('x', 'a', async () => {
      await write('x', madeThere);
      throw new Error('out of memory');
    });
    const job = new Job(shards, [good, failing], 'slides', {});
    await job.work();
    await job.finish(async (failed, made, removeOutdated) => {
      await removeOutdated();
      expect(failed).toEqual(failures);
      expect(Object.fromEntries(made)).toEqual(failures.length > 0 ? { good: 'c' } : { good: 'c', x: 'a' });
    });
    expect(existsSync(join(shards, 'x.tar'))).toBe(failures.length === 0);
  });
});

describe('two processes with different lists', () => {
  const fewer = () => ({ ...dataset, slides: dataset.slides.slice(0, 2) });

  it('are not let into one folder at once; the one that was there first is not disturbed', async () => {
    const where = data();
    const first = begin(dataset, { data: where, stopAt: [dataset.slides[0]!.id] });
    await first.has(dataset.slides[0]!.id);
    const relabelled = {
      ...dataset,
      slides: dataset.slides.map((slide) => ({ ...slide, patient: 'one and the same' })),
    };
    const renamed = { ...dataset, definition: { ...dataset.definition, title: 'Other' } };
    const differ: [SlideDataset, RegExp][] = [
      [fewer(), /it has 4 slides, and this one 2\. Of two lists each would/],
      [
        { ...dataset, slides: dataset.slides.map((slide) => ({ ...slide, id: `other-${slide.id}` })) },
        /not the same ones/,
      ],
      [relabelled, /of the same slides it says otherwise what patient/],
      [renamed, /its definition's title, licence, split or notes are others\./],
      [{ ...dataset, excluded: [{ id: 'x', reason: 'unwanted' }] }, /what it leaves out, or why, is not the same/],
    ];
    for (const [other, difference] of differ) {
      const refused = compileDataset(other, { data: where });
      await expect(refused).rejects.toThrow(difference);
      await expect(refused).rejects.toThrow(
        `${madeIn(where)} is being compiled from another list, by process ${first.child.pid} on `,
      );
    }
    first.child.kill('SIGCONT');
    expect(await first.ended).toEqual({ code: 0, error: '' });
    expect(await digests(madeIn(where))).toEqual(expected);
    expect(readdirSync(join(madeIn(where), 'claims'))).toEqual([]);
    // Now nobody minds.
    expect((await compileDataset(fewer(), { data: where })).strays.length).toBe(2);
  });

  it("of ready patches do not remove each other's shards", async () => {
    const jpeg = await sharp({ create: { width: 16, height: 16, channels: 3, background: '#c080a0' } })
      .jpeg()
      .toBuffer();
    const path = join(temporaryFolder(), 'patch.jpg');
    writeFileSync(path, jpeg);
    const patches = Array.from({ length: 1100 }, (_, n) => ({
      ...dataset.slides[0]!,
      id: `patch-${n}`,
      path,
      record: undefined,
    }));
    const definition = { ...dataset.definition, unit: 'patches' as const, geometry: null };
    const long = { definition, slides: patches };
    const short = { definition, slides: patches.slice(0, 20) };
    const whole = await compileDataset(long, { data: data() });
    const where = data();
    const first = begin(long, { data: where, stopAt: ['patches-00001-of-00003'] });
    await first.has('patches-00001-of-00003');
    await expect(compileDataset(short, { data: where })).rejects.toThrow(/it has 1100 patches, and this one 20\./);
    first.child.kill('SIGCONT');
    expect(await first.ended).toEqual({ code: 0, error: '' });
    expect(await digests(madeIn(where, whole.folder))).toEqual(await digests(whole.folder));
    const later = await compileDataset(short, { data: where });
    expect(later.removed).toEqual([1, 2, 3].map((n) => `patches-0000${n}-of-00003.tar`));
  });

  it('on two machines wait for each other only where the other may still be at work', async () => {
    const where = data();
    const killed = begin(dataset, { data: where, machine: 'one', speed: 20, stopAt: [dataset.slides[0]!.id] });
    await killed.has(dataset.slides[0]!.id);
    killed.child.kill('SIGKILL');
    await killed.ended;
    const claims = join(madeIn(where), 'claims');
    const [claim] = readdirSync(claims).filter((name) => name.startsWith('_list-'));
    const reasons: string[] = [];
    let heartbeat: NodeJS.Timeout | undefined;
    const refused = compileDataset(fewer(), {
      data: where,
      onWait: (reason) => {
        reasons.push(reason);
        // As its own would, if it lived.
        heartbeat = setInterval(() => utimesSync(join(claims, claim!), new Date(), new Date()), 50);
      },
    });
    await expect(refused).rejects.toThrow(/on one: it has 4 slides, and this one 2/);
    expect(reasons).toEqual([
      expect.stringMatching(/^process \d+ on one compiled another list in .* and may have ended/),
    ]);
    clearInterval(heartbeat);
    const two = begin(fewer(), { data: where, machine: 'two', speed: 20 });
    expect(await two.ended).toEqual({ code: 0, error: '' });
    const { report } = await openShardDataset(madeIn(where));
    expect(report.slides.length).toBe(2);
  });
});

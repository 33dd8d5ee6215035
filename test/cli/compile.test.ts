import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { readShard } from '../../src/datasets/index.js';
import { digests, smallDataset, temporaryFolder } from '../datasets/small-dataset.js';
import { canMount, smallDisk } from '../runs/tmpfs.js';

const program = fileURLToPath(new URL('../../kernel-setup/pathlab.mjs', import.meta.url));
let folder: string;
let definition: string;

function compile(...words: string[]) {
  return compileInto(join(folder, 'data'), ...words);
}

function compileInto(data: string, ...words: string[]) {
  const all = [program, 'compile', definition, '--data', data, '--source', join(folder, 'source'), ...words];
  const { status, stdout, stderr } = spawnSync(process.execPath, all, { encoding: 'utf8' });
  return { status, stdout, stderr };
}

beforeAll(async () => {
  folder = temporaryFolder();
  const dataset = await smallDataset(2);
  // The definition's own folder is that of the slides.
  const slides = dataset.slides.map((slide) => `${slide.id},${slide.patient},${basename(slide.path)}`);
  definition = join(dataset.slides[0]!.path, '..', 'small.json');
  writeFileSync(join(definition, '..', 'slides.csv'), ['id,patient,path', ...slides].join('\n'));
  const source = {
    kind: 'slides',
    table: 'slides.csv',
    folder: '.',
    columns: { path: 'path', id: 'id', patient: 'patient' },
  };
  writeFileSync(definition, JSON.stringify({ ...dataset.definition, source }));
});

describe('pathlab compile', () => {
  it('plans, compiles, and finds what is there', () => {
    const plan = compile('--plan', '--most', '5');
    expect(plan.stdout).toMatch(/slides {4}2, of which 0 have a shard\npatches {3}at most 10 \(200 um, 64 px\)/);
    const first = compile('--most', '5', '--workers', '2');
    expect(first.stdout).toMatch(/^10 patches of 2 slides; 0 failed\n/);
    expect(first.status).toBe(0);
    const made = first.stdout.trim().split('\n').at(-1)!;
    const report = JSON.parse(readFileSync(join(made, 'report.json'), 'utf8')) as { counts: { byPatient: object } };
    expect(report.counts.byPatient).toEqual({ 'patient-0': 10 });
    expect(compile('--most', '5').stderr).toMatch(/2 of 2: synthetic-0\d there already/);
  });

  it.skipIf(!canMount)(
    'says that the disk is full, and goes on when there is room (needs leave to mount)',
    async () => {
      const whole = compileInto(join(folder, 'undisturbed'), '--workers', '1').stdout.trim().split('\n').at(-1)!;
      const shards = readdirSync(whole).filter((name) => name.endsWith('.tar'));
      const disk = smallDisk(2048)!;
      try {
        const made = join(disk.folder, relative(join(folder, 'undisturbed'), whole));
        // Room for one shard and a half.
        disk.leave(Math.round(1.5 * statSync(join(whole, shards[0]!)).size));
        const full = compileInto(disk.folder, '--workers', '1');
        expect([full.status, full.stderr]).toEqual([
          1,
          expect.stringMatching(/the disk is full: nothing more can be written in .*make room and compile again\n$/),
        ]);
        const there = readdirSync(made).sort();
        expect(there).toEqual(['claims', shards[0]]);
        expect(readdirSync(join(made, 'claims'))).toEqual([]);
        expect((await readShard(join(made, shards[0]!))).patches.length).toBeGreaterThan(0);
        // Room for both shards, and none for what comes beside them.
        disk.makeRoom();
        disk.leave(statSync(join(whole, shards[1]!)).size + 12_000);
        expect(compileInto(disk.folder).stderr).toMatch(/the disk is full/);
        expect(existsSync(join(made, 'report.json'))).toBe(false);
        disk.makeRoom();
        const again = compileInto(disk.folder);
        expect([again.status, again.stderr]).toEqual([0, expect.stringMatching(/there already[\s\S]*there already/)]);
        expect(await digests(made)).toEqual(await digests(whole));
      } finally {
        disk.remove();
      }
    },
  );

  it('tells of sizes of pixels that are in doubt', () => {
    const path = join(definition, '..', 'doubtful.json');
    const changed = JSON.parse(readFileSync(definition, 'utf8')) as {
      name: string;
      source: { table: string; columns: object };
    };
    changed.name = 'doubtful';
    changed.source.table = 'doubtful.csv';
    changed.source.columns = { ...changed.source.columns, mpp: 'mpp' };
    const [head, row] = readFileSync(join(definition, '..', 'slides.csv'), 'utf8').split('\n');
    writeFileSync(join(definition, '..', 'doubtful.csv'), `${head},mpp\n${row},0.6\n`);
    writeFileSync(path, JSON.stringify(changed));
    const all = [program, 'compile', path, '--data', join(folder, 'data'), '--source', join(folder, 'source')];
    const { stdout, stderr } = spawnSync(process.execPath, all, { encoding: 'utf8' });
    const words =
      /size of its pixels is in doubt: synthetic-0\d\.tif: its pixels are 0\.5 um, but the caller says 0\.6 um/;
    expect(stderr).toMatch(words);
    const card = readFileSync(join(stdout.trim().split('\n').at(-1)!, 'CARD.md'), 'utf8');
    expect(card).toMatch(
      /Slides whose size of a pixel is in doubt[\s\S]*its pixels are 0\.5 um, but the caller says 0\.6/,
    );
  });

  it('says what is wrong with what was asked for', () => {
    expect(compile('--workers', '0')).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/--workers takes a whole/),
    });
    expect(compile('--wrong').stderr).toMatch(/--wrong/);
    const nowhere = spawnSync(process.execPath, [program, 'compile', 'no-such-dataset'], { encoding: 'utf8' });
    expect([nowhere.status, nowhere.stderr]).toEqual([1, expect.stringMatching(/no-such-dataset/)]);
  });
});

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { basename, join, relative } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { readShard, type SlideDataset } from '../../src/datasets/index.js';
import { canMount, smallDisk } from '../base/tmpfs.js';
import { digests, smallDataset, temporaryFolder } from '../datasets/small-dataset.js';

const program = fileURLToPath(new URL('../../kernel-setup/pathlab.mjs', import.meta.url));
let folder: string;
let definition: string;
let dataset: SlideDataset;

function compile(...words: string[]) {
  return compileInto(join(folder, 'data'), ...words);
}

function compileInto(data: string, ...words: string[]) {
  const all = [program, 'compile', definition, '--data', data, '--source', join(folder, 'source'), ...words];
  const { status, stdout, stderr } = spawnSync(process.execPath, all, { encoding: 'utf8' });
  return { status, stdout, stderr };
}

/** How many processes a process has started that are in groups of their own. */
function readersOf(pid: number): number {
  const { stdout } = spawnSync('ps', ['-o', 'pgid=', '--ppid', String(pid)], { encoding: 'utf8' });
  return stdout.split('\n').filter((line) => line.trim() !== '' && Number(line) !== pid).length;
}

beforeAll(async () => {
  folder = temporaryFolder();
  dataset = await smallDataset(2);
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
  writeFileSync(definition, JSON.stringify({ ...dataset.definition, labels: { from: 'none' }, source }));
});

describe('pathlab compile', () => {
  it('that Ctrl-C interrupts, as a terminal does with its whole group, calls no slide a failure', async () => {
    const words = [
      program,
      'compile',
      definition,
      '--data',
      join(folder, 'interrupted'),
      '--source',
      join(folder, 'source'),
    ];
    const command = spawn(process.execPath, words, { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [command.stdout, command.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
    }
    const ended = once(command, 'exit');
    while (readersOf(command.pid!) < 2 && command.exitCode === null) await pause(20);
    process.kill(-command.pid!, 'SIGINT');
    expect((await ended)[0]).toBe(130);
    expect(said).toContain('compile was interrupted; run it again to continue');
    expect(said).not.toContain('failed');
  });

  it('plans, compiles, and finds what is there', () => {
    const plan = compile('--plan', '--max-patches', '5');
    expect(plan.stdout).toMatch(/slides {4}2, of which 0 have a shard\npatches {3}at most 10 \(200 um, 64 px\)/);
    const first = compile('--max-patches', '5', '--workers', '2');
    expect(first.stdout).toMatch(/^10 patches of 2 slides; 0 failed\n/);
    expect(first.status).toBe(0);
    const made = first.stdout.trim().split('\n').at(-1)!;
    const report = JSON.parse(readFileSync(join(made, 'report.json'), 'utf8')) as { counts: { byPatient: object } };
    expect(report.counts.byPatient).toEqual({ 'patient-0': 10 });
    expect(compile('--max-patches', '5').stderr).toMatch(/2 of 2: synthetic-0\d already present/);
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
        expect(there).toEqual([shards[0]]);
        expect((await readShard(join(made, shards[0]!))).patches.length).toBeGreaterThan(0);
        // Room for both shards, and none for what comes beside them.
        disk.makeRoom();
        disk.leave(statSync(join(whole, shards[1]!)).size + 12_000);
        expect(compileInto(disk.folder).stderr).toMatch(/the disk is full/);
        expect(existsSync(join(made, 'report.json'))).toBe(false);
        disk.makeRoom();
        const again = compileInto(disk.folder);
        expect([again.status, again.stderr]).toEqual([
          0,
          expect.stringMatching(/already present[\s\S]*already present/),
        ]);
        expect(await digests(made)).toEqual(await digests(whole));
      } finally {
        disk.remove();
      }
    },
  );

  it('removes the shard of a slide that fails now, keeps what is not its own, names it, and says what is left out', () => {
    const cohort = temporaryFolder();
    const slides = dataset.slides.map(({ path }) => basename(path));
    for (const [place, { path }] of dataset.slides.entries()) copyFileSync(path, join(cohort, slides[place]!));
    copyFileSync(dataset.slides[0]!.path, join(cohort, 'copy.tif'));
    copyFileSync(dataset.slides[0]!.path, join(cohort, 'other.tif'));
    // Another slide by its bytes, the same by its pixels.
    appendFileSync(join(cohort, 'other.tif'), 'x');
    const classes = ['a', 'b', 'a', 'a', 'unheard of'];
    const table = [...slides, 'other.tif', 'copy.tif', 'gone.tif'].map((path, row) => `${path},${classes[row] ?? 'a'}`);
    const list = (rows: readonly string[]) =>
      writeFileSync(join(cohort, 'slides.csv'), ['path,class', ...rows].join('\n'));
    list(table.slice(0, 3));
    const path = join(cohort, 'cohort.json');
    const labels = {
      from: 'slide',
      classes: [
        { name: 'a', label: 0 },
        { name: 'b', label: 1 },
      ],
      values: { a: 'a', b: 'b' },
      unmapped: 'exclude',
    };
    const source = { kind: 'slides', table: 'slides.csv', folder: '.', columns: { path: 'path', class: 'class' } };
    writeFileSync(path, JSON.stringify({ ...dataset.definition, name: 'cohort', source, labels }));
    const run = (...more: string[]) => {
      const words = [
        program,
        'compile',
        path,
        '--data',
        join(cohort, 'data'),
        '--source',
        join(cohort, 'source'),
        ...more,
      ];
      const { status, stdout, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8' });
      return { status, stderr, made: stdout.trim().split('\n').at(-1)! };
    };
    const tars = (made: string) => readdirSync(made).filter((name) => name.endsWith('.tar'));
    const shard = (name: string) => name.replace('.tif', '.tar');
    const whole = run();
    expect([whole.status, whole.stderr]).toEqual([0, expect.not.stringMatching(/excluded|tar files/)]);
    expect(tars(whole.made)).toEqual(['other.tar', ...slides.map(shard)]);

    truncateSync(join(cohort, slides[0]!), 5000);
    writeFileSync(join(whole.made, 'somebodys.tar'), 'not of pathlab');
    // Out of the list goes other.tif; in come a copy, a class outside the map and a file that is not there.
    appendFileSync(join(cohort, 'double.tif'), readFileSync(join(cohort, slides[1]!)));
    list([...table.slice(0, 2), 'double.tif,b', 'copy.tif,unheard of', 'gone.tif,a']);
    const { status, stderr, made } = run();
    expect([status, made]).toEqual([1, whole.made]);
    expect(stderr).toContain(`excluded: gone.tif: slides.csv, row 5: there is no file gone.tif\n`);
    expect(stderr).toContain(`1 excluded: its class, "unheard of", is not in the definition's map (copy)\n`);
    expect(stderr).toContain(`1 excluded: the same bytes as another (${slides[1]!.replace('.tif', '')})\n`);
    expect(stderr).toMatch(
      /that do not belong to this compilation: \d \(other\.tar, somebodys\.tar(, [^)]*)?\)\. index\.arrow/,
    );
    expect(tars(made)).not.toContain(shard(slides[0]!));
    const card = readFileSync(join(made, 'CARD.md'), 'utf8');
    expect(card).toMatch(
      /## Excluded from the list[\s\S]*its class, "unheard of", is not in the definition's map \| 1 \| copy/,
    );
    const { excluded } = JSON.parse(readFileSync(join(made, 'report.json'), 'utf8')) as { excluded: object[] };
    expect(excluded.length).toBe(3);

    const before = tars(made);
    const removing = run('--remove-orphans');
    expect(removing.stderr).toMatch(
      /removed orphaned shards of an earlier list from .*: \d \(other\.tar(, [^)]*)?\)\n/,
    );
    expect(removing.stderr).toMatch(/that do not belong to this compilation: 1 \(somebodys\.tar\)\./);
    expect(tars(made)).toEqual(['double.tar', 'somebodys.tar']);
    expect(before).toContain('other.tar');
  });

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
      /its pixel size is uncertain: synthetic-0\d\.tif: its pixels are 0\.5 um, but the given size is 0\.6 um/;
    expect(stderr).toMatch(words);
    expect(stderr).toMatch(/The file's pixel size is used\. To use the other, set "pixelSize": "table"/);
    const card = readFileSync(join(stdout.trim().split('\n').at(-1)!, 'CARD.md'), 'utf8');
    expect(card).toMatch(
      /Slides with an uncertain pixel size[\s\S]*its pixels are 0\.5 um, but the given size is 0\.6/,
    );
  });

  it('says what is wrong with what was asked for', () => {
    expect(compile('--workers', '0')).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/--workers takes a positive/),
    });
    expect(compile('--wrong').stderr).toMatch(/--wrong/);
    const nowhere = spawnSync(process.execPath, [program, 'compile', 'no-such-dataset'], { encoding: 'utf8' });
    expect([nowhere.status, nowhere.stderr]).toEqual([1, expect.stringMatching(/no-such-dataset/)]);
  });
});

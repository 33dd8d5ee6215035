import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { key } from '../../src/base/index.js';
import { audit } from '../../src/cli/audit.js';
import { compileDataset, syntheticDataset } from '../../src/datasets/index.js';
import { temporaryFolder } from '../datasets/small-dataset.js';

const folder = temporaryFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Smooth blobs of color, `n` different ones. */
async function testImage(n: number): Promise<Buffer> {
  const generator = key('picture').fold(n).generator();
  const data = Uint8Array.from({ length: 8 * 8 * 3 }, () => generator.integer(256));
  return sharp(data, { raw: { width: 8, height: 8, channels: 3 } })
    .resize(96, 96, { kernel: 'cubic' })
    .png()
    .toBuffer();
}

async function write(place: string, files: Record<string, Buffer>): Promise<string> {
  for (const [name, bytes] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, place, name)), { recursive: true });
    writeFileSync(join(folder, place, name), bytes);
  }
  return join(folder, place);
}

/** Runs the command in this process; its exit code and what it said. */
async function run(...words: string[]): Promise<{ code: number; said: string }> {
  const log = vi.spyOn(console, 'log').mockImplementation(() => {});
  try {
    const code = await audit(words);
    return { code, said: log.mock.calls.map(([line]) => line).join('\n') };
  } finally {
    log.mockRestore();
  }
}

const patient = ['--patient', '(p\\d+)_'];
let images: Buffer[];
beforeAll(async () => {
  images = await Promise.all([1, 2, 3, 4, 5].map(testImage));
});

describe("pathlab audit of a user's own folder", () => {
  it('is clean where patients and bytes are apart', async () => {
    const where = await write('clean', {
      'train/tumor/p1_1.png': images[0]!,
      'train/normal/p1_2.png': images[1]!,
      'val/tumor/p2_1.png': images[2]!,
      'test/tumor/p3_1.png': images[3]!,
      'test/tumor/notes.txt': Buffer.from('text'),
      // What a Mac leaves beside an image that it copied.
      'test/tumor/._p3_1.png': Buffer.from('resource fork'),
    });
    const { code, said } = await run(where, ...patient);
    expect([code, said]).toEqual([0, expect.stringMatching(/^existing split: Clean: 0 patients across splits/)]);
    expect(said).toMatch(/All 4 images were compared\. 2 other files do not have/);
  });

  it('finds a patient, the same bytes, and a recompressed image across splits, and reports them', async () => {
    const where = await write('leaking', {
      'train/p1_1.png': images[0]!,
      'train/p1_2.png': images[1]!,
      'train/p2_1.png': images[2]!,
      'valid/p1_3.png': images[3]!,
      'test/p3_1.png': images[1]!,
      'test/p4_1.jpg': await sharp(images[2]!).jpeg({ quality: 60 }).toBuffer(),
    });
    const page = join(folder, 'audit.html');
    const { code, said } = await run(where, ...patient, '--report', page);
    expect(code).toBe(2);
    expect(said).toMatch(/NOT CLEAN: 1 patient across splits, 1 exact duplicate across splits; 2 pairs .* look alike/);
    expect(said).toMatch(/patient p1: train 2, validation 1/);
    const html = readFileSync(page, 'utf8');
    expect(html).toMatch(/NOT CLEAN/);
    expect(html).toMatch(/<img [^>]*src="data:image\/png;base64,/);
    expect(html).not.toContain(folder);

    const facts = join(folder, 'audit.json');
    expect((await run(where, '--apart', 'near', '--report', facts)).code).toBe(2);
    const { compared, audits } = JSON.parse(readFileSync(facts, 'utf8'));
    expect(compared).toBe(6);
    expect(audits[0].nearDuplicates.map(({ ids }: { ids: string[] }) => ids)).toEqual([
      ['test/p3_1.png', 'train/p1_2.png'],
      ['test/p4_1.jpg', 'train/p2_1.png'],
    ]);
  });

  it('asks for what it is asked: images that look alike count only where near is among it', async () => {
    const where = await write('alike', {
      'train/p1_1.png': images[0]!,
      'test/p2_1.jpg': await sharp(images[0]!).jpeg({ quality: 60 }).toBuffer(),
    });
    expect((await run(where, ...patient)).code).toBe(0);
    expect((await run(where, '--apart', 'none')).code).toBe(0);
    const near = await run(where, ...patient, '--apart', 'patient,near');
    expect([near.code, near.said]).toEqual([
      2,
      expect.stringMatching(/NOT CLEAN: 0 patients .*; 1 pairs across splits/),
    ]);
    expect((await run(where, '--apart', 'near', '--distance', '0')).code).toBe(0);
  });

  it('takes a table with a split, patients and sites, and does not vouch for unknown rows', async () => {
    const place = await write('table', Object.fromEntries(images.map((bytes, n) => [`images/${n}.png`, bytes])));
    const table = join(place, 'images.csv');
    const lines = ['path,split,patient,site', 'images/0.png,train,007,A', 'images/1.png,test,7,A'];
    writeFileSync(table, lines.join('\n'));
    expect((await run(table)).code).toBe(0);
    expect((await run(table, '--apart', 'patient,site')).said).toMatch(/site A: test 1, train 1/);
    writeFileSync(table, [...lines, 'images/2.png,test,,A'].join('\n'));
    const { code, said } = await run(table);
    expect([code, said]).toEqual([2, expect.stringMatching(/NOT KNOWN to be clean: .*\(1 rows unknown\)/)]);
  });

  it('is not clean beside the splits: a folder or image in no split is an error that names it', async () => {
    const where = await write('beside', {
      'Train/p1_1.png': images[0]!,
      'val/p2_1.png': images[1]!,
      'test/p3_1.png': images[2]!,
      'notes/how.txt': Buffer.from('text'),
      'labels.csv': Buffer.from('text'),
    });
    const { code, said } = await run(where, ...patient);
    expect([code, said]).toEqual([
      0,
      expect.stringMatching(/Split: train 1, test 1, validation 1[\s\S]*2 other files do not/),
    ]);
    await write('beside', { 'external_test/site_b/p9_1.png': images[0]!, 'p8_1.png': images[3]! });
    await expect(run(where, ...patient)).rejects.toThrow(
      /beside has images in no split: external_test \(1 images\), p8_1\.png\. Move each into a split's folder/,
    );
    const linked = await write('beside-link', { 'train/p1_1.png': images[0]!, 'val/p2_1.png': images[1]! });
    symlinkSync(join(where, 'test'), join(linked, 'test'));
    await expect(run(linked, ...patient)).rejects.toThrow(/test is a link, but not to an image/);
    const oneSplit = await write('one-split', { 'val/p1_1.png': images[0]!, 'validation/p2_1.png': images[1]! });
    await expect(run(oneSplit, ...patient)).rejects.toThrow(/is not split: it has val, validation/);
  });

  it('takes the names of splits that compile takes, whatever their case, and no others', async () => {
    const place = await write('words', Object.fromEntries(images.map((bytes, n) => [`images/${n}.png`, bytes])));
    const table = join(place, 'images.csv');
    const lines = ['path,split,patient', 'images/0.png,train,a', 'images/1.png,Train,a', 'images/2.png,VAL,b'];
    writeFileSync(table, lines.join('\n'));
    const { code, said } = await run(table);
    expect([code, said]).toEqual([0, expect.stringMatching(/Clean: .* Split: train 2, validation 1/)]);
    writeFileSync(table, lines.slice(0, 3).join('\n'));
    await expect(run(table)).rejects.toThrow(/is not split: all its rows are in "train"/);
    writeFileSync(table, [...lines, 'images/3.png,held out,c'].join('\n'));
    await expect(run(table)).rejects.toThrow(/images\.csv, row 4: "held out" is not the name of a split: train, /);
  });

  it('warns of patients whose names differ in case alone, which count as two', async () => {
    const place = await write('case', Object.fromEntries(images.map((bytes, n) => [`images/${n}.png`, bytes])));
    const table = join(place, 'images.csv');
    writeFileSync(table, 'path,split,patient\nimages/0.png,train,p1\nimages/1.png,test,P1\nimages/2.png,test,p2\n');
    const facts = join(folder, 'case.json');
    const { code, said } = await run(table, '--report', facts);
    expect([code, said]).toEqual([0, expect.stringMatching(/^Warning: patients whose names .*: P1 and p1\. If such/m)]);
    expect(JSON.parse(readFileSync(facts, 'utf8')).warnings).toEqual([expect.stringMatching(/P1 and p1/)]);
    await run(table, '--report', join(folder, 'case.html'));
    expect(readFileSync(join(folder, 'case.html'), 'utf8')).toMatch(
      /Warning: patients whose names differ only in case/,
    );
    writeFileSync(table, 'path,split,patient\nimages/0.png,train,p1\nimages/1.png,test,p2\n');
    expect((await run(table)).said).not.toMatch(/Warning/);
  });

  it('says what is wrong with what it was given', async () => {
    const where = await write('wrong', { 'train/a.png': images[0]!, 'test/b.png': images[1]! });
    await expect(run()).rejects.toThrow(/takes one WHERE/);
    await expect(run(join(folder, 'nowhere'))).rejects.toThrow(/there is no folder or table .*nowhere/);
    await expect(run(where)).rejects.toThrow(/no image has a patient: name a pattern with --patient/);
    await expect(run(where, '--patient', 'p')).rejects.toThrow(/regular expression with one group; got "p"/);
    await expect(run(where, ...patient)).rejects.toThrow(/no patient was found in test\/b\.png/);
    await expect(run(where, '--apart', 'hospital')).rejects.toThrow(
      /--apart takes slide, patient, site, near, or none/,
    );
    await expect(run(where, '--by', 'site')).rejects.toThrow(/--by is for a compiled dataset/);
    await expect(run(where, '--report', 'audit.txt')).rejects.toThrow(/takes a \.json or \.html file/);
    await expect(run(join(where, 'train'))).rejects.toThrow(/is not split: it has a\.png, but it needs folders/);
    await write('wrong', { 'test/c.png': Buffer.from('text') });
    await expect(run(where, '--apart', 'none')).rejects.toThrow(
      /wrong\/test\/c\.png is not a jpeg, png, tiff, webp image/,
    );
    const linked = await write('linked', { 'train/a.png': images[0]!, 'test/b.png': images[1]! });
    symlinkSync(where, join(linked, 'test', 'more'));
    await expect(run(linked, '--apart', 'none')).rejects.toThrow(/more is a link, but not to an image/);
    const table = join(linked, 'images.csv');
    writeFileSync(table, 'path,split\n../wrong/train/a.png,train\ntest/b.png,test\n');
    await expect(run(table, '--apart', 'none')).rejects.toThrow(/not a relative path inside/);
    writeFileSync(table, 'path,split\ntrain/a.png,train\ntest/b.png,train\n');
    await expect(run(table)).rejects.toThrow(/is not split: all its rows are in "train"/);
    writeFileSync(table, 'file,split\na.png,train\n');
    await expect(run(table)).rejects.toThrow(/has no column "path"; it has file, split/);
    // Before anything is read.
    await expect(run(table, '--distance', '256')).rejects.toThrow(/--distance takes 0 to 255 bits; got "256"/);
  });
});

describe('pathlab audit of a compiled dataset', () => {
  it('divides it by its own rule or another, and its exit code says what it found', async () => {
    const { definition, slides } = await syntheticDataset(
      { kind: 'ptcga200', patients: 3, slidesPerPatient: 2, classes: 1, columns: 1, rows: 1 },
      key(1),
      { folder: join(folder, 'cohort') },
    );
    const split = { ...definition.split, by: 'patient', folds: 1 } as const;
    const { folder: compiled } = await compileDataset(
      { definition: { ...definition, split }, slides },
      { data: join(folder, 'data'), geometry: { micrometers: 200, pixels: 64 } },
    );
    const { code, said } = await run(compiled);
    expect([code, said]).toEqual([
      0,
      expect.stringMatching(/^by patient, fold 1 of 1: Clean: 0 patients across splits, 0 exact/),
    ]);
    const program = fileURLToPath(new URL('../../kernel-setup/pathlab.mjs', import.meta.url));
    const words = ['audit', compiled, '--by', 'slide', '--validation', '0.3', '--test', '.2'];
    const bySlide = spawnSync(process.execPath, [program, ...words], { encoding: 'utf8' });
    expect([bySlide.status, bySlide.stdout]).toEqual([2, expect.stringMatching(/by slide, fold 1 of 1: NOT CLEAN/)]);
    // Before any image is read: here there is none.
    const indexAlone = await write('index-alone', {});
    mkdirSync(indexAlone, { recursive: true });
    for (const name of ['index.arrow', 'report.json']) copyFileSync(join(compiled, name), join(indexAlone, name));
    await expect(run(indexAlone, '--by', 'site')).rejects.toThrow(/needs at least 3; there are 2/);
    await expect(run(indexAlone)).rejects.toThrow(/\.tar is missing/);
    await expect(run(compiled, '--by', 'hospital')).rejects.toThrow(/--by takes slide, patient/);
    await expect(run(compiled, '--test', '2')).rejects.toThrow(/--test takes a fraction/);
    await expect(run(compiled, ...patient)).rejects.toThrow(/--patient is for folders and tables/);
  });
});

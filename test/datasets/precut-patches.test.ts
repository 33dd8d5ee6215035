import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { projectRoot } from '../../src/base/index.js';
import { audit } from '../../src/cli/audit.js';
import { compile } from '../../src/cli/compile.js';
import { init } from '../../src/cli/init.js';
import {
  type CompileDatasetOptions,
  type CompiledDataset,
  compileDataset,
  type DatasetDefinition,
  describeData,
  describePlan,
  openShardDataset,
  planCompile,
  readDefinition,
  readEncoded,
  readShard,
  readShardIndex,
  resolveDataset,
  slidesOnDisk,
} from '../../src/datasets/index.js';
import { BatchSource, countMaskPixels, readImages } from '../../src/input/index.js';
import { writeSection } from '../../src/slides/index.js';
import { pngFile } from '../slides/png-file.js';
import { smallSection } from '../slides/small-slide.js';
import { digests, temporaryFolder, testImage } from './small-dataset.js';

let folder: string;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
  vi.restoreAllMocks();
});

function write(name: string, content: Buffer | string): void {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), content);
}

const classes = [
  { name: 'benign', label: 0 },
  { name: 'cancer', label: 1 },
];

/** A definition of precut patches beside the files. */
function define(change: object = {}): string {
  const definition = {
    ...readDefinition('ptcga200'),
    ...{ name: 'mine', unit: 'patches', geometry: null, minimumBytes: 0, exclusions: [] },
    source: { kind: 'folder', folder: 'files', patientPattern: '^(p\\d+)_' },
    labels: { from: 'slide', classes, values: { 0: 'benign', 1: 'cancer' }, unmapped: 'error' },
    ...change,
  };
  write('mine.json', JSON.stringify(definition));
  return join(folder, 'mine.json');
}

const columns = { path: 'file', class: 'label', patient: 'patient', site: 'hospital', split: 'set' };
const table = { kind: 'csv', table: 'table.csv', folder: 'files', columns };

type Options = Pick<
  CompileDatasetOptions,
  'size' | 'workers' | 'tile' | 'stride' | 'edge' | 'minimumTissue' | 'lossless'
>;

async function compiled(path: string, options: Options = {}): Promise<CompiledDataset> {
  const dataset = await resolveDataset(path, { out: join(folder, 'source') });
  const { ready } = slidesOnDisk(dataset);
  return compileDataset({ definition: dataset.definition, slides: ready }, { data: join(folder, 'data'), ...options });
}

describe('precut patches in class folders', () => {
  beforeEach(async () => {
    for (const [place, name] of ['0/p1_a', '0/p2_b', '1/p1_c', '1/p3_d'].entries()) {
      write(`files/${name}.${place === 3 ? 'png' : 'jpg'}`, await testImage(name, 48, place === 3 ? 'png' : 'jpeg'));
    }
  });

  it('go into shards as they are, with class and patient, and a loader reads them', async () => {
    const { folder: made, report } = await compiled(define());
    expect(report.precut).toEqual({ shards: 1, copied: 3, encoded: 1 });
    expect(report.counts).toMatchObject({
      patches: 4,
      byClass: { benign: 2, cancer: 2 },
      byPatient: { p1: 2, p2: 1, p3: 1 },
    });
    expect(report.settings.geometry.pixels).toBe(48);
    const rows = (await readShardIndex(join(made, 'index.arrow'))).objects() as Record<string, unknown>[];
    expect(rows.map(({ slide, patient, class: name }) => [slide, patient, name])).toEqual([
      ['0-p1_a', 'p1', 'benign'],
      ['0-p2_b', 'p2', 'benign'],
      ['1-p1_c', 'p1', 'cancer'],
      ['1-p3_d', 'p3', 'cancer'],
    ]);
    const shard = readFileSync(join(made, rows[0]!.shard as string));
    const image = (row: Record<string, unknown>) =>
      shard.subarray(Number(row.offset), Number(row.offset) + Number(row.length));
    expect(image(rows[0]!).equals(readFileSync(join(folder, 'files/0/p1_a.jpg')))).toBe(true);
    expect(await sharp(image(rows[3]!)).metadata()).toMatchObject({
      format: 'jpeg',
      width: 48,
      chromaSubsampling: '4:4:4',
    });
    const dataset = await openShardDataset(made);
    expect(dataset.size).toBe(48);
    expect((await readEncoded(dataset, [0, 1, 2, 3])).length).toBe(4);
    const card = readFileSync(join(made, 'CARD.md'), 'utf8');
    expect(card).toMatch(/patches \| 4, 48 px, precut[\s\S]*taken as they are \| 3[\s\S]*encoded anew \| 1:/);
  });

  it('stay PNG to the bit where they are asked for lossless, and a batch holds the same values', async () => {
    const { folder: made, report } = await compiled(define(), { lossless: true });
    expect(report.precut).toEqual({ shards: 1, copied: 1, encoded: 3 });
    expect(report.settings).toEqual({ geometry: { pixels: 48 }, lossless: true });
    expect(readFileSync(join(made, 'CARD.md'), 'utf8')).toMatch(/PNG, lossless/);
    const dataset = await openShardDataset(made);
    const encoded = await readEncoded(dataset, [0, 1, 2, 3]);
    expect(Buffer.from(encoded[3]!.image).equals(readFileSync(join(folder, 'files/1/p3_d.png')))).toBe(true);
    const given = await Promise.all(
      ['0/p1_a.jpg', '0/p2_b.jpg', '1/p1_c.jpg', '1/p3_d.png'].map((name) =>
        sharp(join(folder, 'files', name))
          .raw()
          .toBuffer(),
      ),
    );
    const kept = await Promise.all(encoded.map(({ image }) => sharp(image).raw().toBuffer()));
    expect(kept.map((pixels, at) => pixels.equals(given[at]!))).toEqual([true, true, true, true]);
    // A JPEG would be decoded at half its size here.
    const source = new BatchSource(dataset, { batchSize: 4, imageSize: 24 });
    const [batch] = [await readImages(source).next()];
    expect(Buffer.from((batch!.value as Uint8Array).subarray(3 * 48 * 48 * 3)).equals(given[3]!)).toBe(true);
  });

  it('of more than 8 bits are refused: 12 bits in 16 would come out nearly black', async () => {
    const values = Uint16Array.from({ length: 48 * 48 * 3 }, (_, at) => 4095 - (at % 200));
    const deep = sharp(values, { raw: { width: 48, height: 48, channels: 3 } }).toColourspace('rgb16');
    write('files/0/p9_deep.png', await deep.clone().png().toBuffer());
    const { report } = await compiled(define());
    const reason = expect.stringMatching(/p9_deep\.png holds 16-bit values, but patches need 8 bits/);
    expect(report.failures.map((failure) => failure.reason)).toEqual([reason]);
    expect(report.counts.patches).toBe(4);
    // One that is first, and larger, does not decide the size of the others.
    write('files/0/0_deep.png', await deep.clone().resize(96, 96).toColourspace('rgb16').png().toBuffer());
    expect((await compiled(define())).report.counts.patches).toBe(4);
  });

  it('are resized where a size is asked for, and else must be alike', async () => {
    write('files/0/p9_large.jpg', await testImage('large', 96));
    const path = define();
    const { report } = await compiled(path);
    expect(report.failures).toEqual([
      {
        slide: '0-p9_large',
        reason: expect.stringMatching(/is 96 x 96 px, but the first patch is 48 x 48 px.*--size/),
      },
    ]);
    const resized = await compiled(path, { size: 96 });
    expect(resized.report).toMatchObject({ failures: [], precut: { copied: 1, encoded: 4 }, counts: { patches: 5 } });
    const { patches } = await readShard(join(resized.folder, 'patches-00001-of-00001.tar'));
    const shard = readFileSync(join(resized.folder, 'patches-00001-of-00001.tar'));
    for (const { image } of patches) {
      const { width, height } = await sharp(shard.subarray(image.offset, image.offset + image.length)).metadata();
      expect([width, height]).toEqual([96, 96]);
    }
  });

  it('that are damaged fail with their own reasons, and the rest compiles', async () => {
    const whole = await testImage('cut');
    write('files/0/p4_cut.jpg', whole.subarray(0, whole.length / 2));
    write('files/0/p5_text.png', 'this is not an image');
    write('files/1/p6_wide.jpg', await testImage('wide', 64, 'jpeg', 48));
    write('files/1/p7_svg.png', '<svg xmlns="http://www.w3.org/2000/svg" width="48" height="48"/>');
    write('elsewhere.jpg', whole);
    symlinkSync(join(folder, 'elsewhere.jpg'), join(folder, 'files/1/p8_link.jpg'));
    mkdirSync(join(folder, 'linked'));
    symlinkSync(join(folder, 'linked'), join(folder, 'files/2'));
    write('files/0/deeper/p9_a.jpg', whole);
    write('files/p9_a.jpg', whole);
    const path = define();
    const { lock } = await resolveDataset(path, { out: join(folder, 'source') });
    expect(lock.excluded).toEqual([
      { id: '0/deeper', reason: 'a folder within a class folder, which is not read' },
      { id: '1/p8_link.jpg', reason: expect.stringMatching(/is a symbolic link or leads through one/), fault: true },
      { id: '2', reason: 'a symbolic link, which is not followed', fault: true },
      { id: 'p9_a.jpg', reason: 'in no class folder' },
    ]);
    const { report } = await compiled(path);
    expect(report.counts.patches).toBe(4);
    expect(report.failures).toEqual([
      { slide: '0-p4_cut', reason: expect.stringMatching(/p4_cut\.jpg cannot be decoded/) },
      { slide: '0-p5_text', reason: expect.stringMatching(/p5_text\.png is not a jpeg, png, tiff, webp image/) },
      { slide: '1-p6_wide', reason: expect.stringMatching(/is 64 x 48 px; patches are square/) },
      { slide: '1-p7_svg', reason: expect.stringMatching(/is not a jpeg, png, tiff, webp image/) },
    ]);
    expect(JSON.stringify(report)).not.toContain(folder);
  });

  it('are compiled anew only where they changed, to the same bytes whatever the number of workers', async () => {
    // More than one shard's worth; the smallest images there are.
    const tiny = await testImage('tiny', 8);
    rmSync(join(folder, 'files'), { recursive: true });
    for (let index = 0; index < 1100; index++) write(`files/${index % 2}/p${index}_x.jpg`, tiny);
    const path = define();
    const one = await compiled(path, { workers: 1 });
    expect(one.report.precut).toEqual({ shards: 3, copied: 1100, encoded: 0 });
    const before = await digests(one.folder);
    rmSync(join(one.folder, 'patches-00002-of-00003.tar'));
    expect(await digests((await compiled(path, { workers: 3 })).folder)).toEqual(before);
    // Of a shorter list there are fewer shards, and none of the longer one's is left.
    for (let index = 0; index < 900; index++) rmSync(join(folder, `files/${index % 2}/p${index}_x.jpg`));
    const shorter = await compiled(path);
    expect(readdirSync(shorter.folder).filter((name) => name.endsWith('.tar'))).toEqual(['patches-00001-of-00001.tar']);
    expect(shorter.report.counts.patches).toBe(200);
  });
});

describe('images of any shape', () => {
  const [width, height] = [100, 70];
  /** Each pixel tells its place. */
  const pixels = Uint8Array.from({ length: width * height * 3 }, (_, at) => {
    const [x, y] = [Math.floor(at / 3) % width, Math.floor(at / 3 / width)];
    return [2 * x, 3 * y, 100][at % 3]!;
  });
  const values = Uint8Array.from({ length: width * height }, (_, at) => (at % width < 50 ? 3 : 5));
  const labels = { from: 'mask', classes, values: { '*': { 3: 'benign', 5: 'cancer' } } };
  beforeEach(async () => {
    const png = (channels: 1 | 3, data: Uint8Array) =>
      sharp(data, { raw: { width, height, channels } }).png().toBuffer();
    write('files/a.png', await png(3, pixels));
    write('files/a-mask.png', await png(1, values));
    write(
      'files/small.png',
      await sharp(Buffer.alloc(20 * 90 * 3), { raw: { width: 20, height: 90, channels: 3 } })
        .png()
        .toBuffer(),
    );
    write(
      'files/small-mask.png',
      await sharp(Buffer.alloc(20 * 90, 3), { raw: { width: 20, height: 90, channels: 1 } })
        .png()
        .toBuffer(),
    );
    write('table.csv', 'file,mask,patient\na.png,a-mask.png,p1\nsmall.png,small-mask.png,p2\n');
  });
  const source = { ...table, columns: { path: 'file', mask: 'mask', patient: 'patient' } };

  it('are kept where enough of them is tissue, and losslessly, as asked', async () => {
    const section = smallSection('tiles', { columns: 2, rows: 1 });
    await writeSection(section, { slide: join(folder, 'section.tif') });
    const image = await sharp(join(folder, 'section.tif'), { limitInputPixels: false }).removeAlpha().png().toBuffer();
    write('files/0/section.png', image);
    const from = { source: { kind: 'folder', folder: 'files', patientPattern: null }, labels: { from: 'none' } };
    const wanted = { tile: 200, edge: 'drop', lossless: true } as const;
    const [every, some] = [
      await compiled(define(from), wanted),
      await compiled(define(from), { ...wanted, minimumTissue: 0.8 }),
    ];
    const { width, height } = await sharp(image).metadata();
    expect(every.report.counts.patches).toBe(Math.floor(width / 200) * Math.floor(height / 200));
    expect(some.report.counts.patches).toBeGreaterThan(4);
    expect(some.report.counts.patches).toBeLessThan(0.6 * every.report.counts.patches);
    const dataset = await openShardDataset(some.folder);
    for (const [row, { image: encoded }] of (await readEncoded(dataset, [0, 1, 2])).entries()) {
      const { x, y } = dataset.index.object(row) as { x: number; y: number };
      const part = sharp(image).extract({ left: x, top: y, width: 200, height: 200 });
      expect((await sharp(encoded).raw().toBuffer()).equals(await part.raw().toBuffer())).toBe(true);
    }
    await expect(compiled(define(from), { minimumTissue: 0.5 })).rejects.toThrow(/minimum tissue apply to tiles/);
  });

  it('are cut into patches with their masks, all of an image under its id', async () => {
    const { folder: made, report } = await compiled(define({ source, labels }), { tile: 32 });
    expect(report.failures).toEqual([
      { slide: 'small', reason: 'small.png is 20 x 90 px, smaller than a tile of 32 px' },
    ]);
    expect(report.precut).toMatchObject({ copied: 0, encoded: 12 });
    const dataset = await openShardDataset(made);
    const rows = dataset.index.objects() as { slide: string; x: number; y: number; class: string }[];
    expect(rows.map(({ x, y }) => [x, y])).toEqual([0, 32, 38].flatMap((y) => [0, 32, 64, 68].map((x) => [x, y])));
    expect(new Set(rows.map(({ slide }) => slide))).toEqual(new Set(['a']));
    expect(rows.slice(0, 4).map((row) => row.class)).toEqual(['benign', 'benign', 'cancer', 'cancer']);
    const encoded = (await Promise.all(rows.map((_, row) => readEncoded(dataset, [row])))).flat();
    for (const [row, { x, y }] of rows.entries()) {
      const [image, mask] = await Promise.all([
        sharp(encoded[row]!.image).raw().toBuffer(),
        sharp(encoded[row]!.mask!).extractChannel(0).raw().toBuffer(),
      ]);
      for (const [across, down] of [
        [0, 0],
        [31, 0],
        [5, 20],
        [31, 31],
      ] as const) {
        const at = 3 * (down * 32 + across);
        expect(Math.abs(image[at]! - 2 * (x + across))).toBeLessThan(8);
        expect(Math.abs(image[at + 1]! - 3 * (y + down))).toBeLessThan(8);
        expect(mask[down * 32 + across]).toBe(x + across < 50 ? 0 : 1);
      }
    }
  });

  it('leave out what is left over, or overlap, as asked; and other options are refused', async () => {
    const count = async (options: Options) =>
      (await compiled(define({ source, labels }), options)).report.counts.patches;
    expect(await count({ tile: 32, edge: 'drop' })).toBe(6);
    expect(await count({ tile: 32, stride: 16, edge: 'drop' })).toBe(15);
    await expect(count({ stride: 16 })).rejects.toThrow(/give the tile size too/);
    await expect(count({ tile: 32, minimumTissue: 1 })).rejects.toThrow(/no tile has the minimum tissue \(--tissue\)/);
    await expect(count({ tile: 32, size: 16 })).rejects.toThrow(/give either a size or a tile size/);
    await expect(count({ tile: 32, edge: 'mirror' as never })).rejects.toThrow(/edge is shift or drop; got "mirror"/);
    await expect(count({})).rejects.toThrow(/a\.png is 100 x 70 px; patches are square: .* with --tile PX/);
  });
});

describe('precut patches in a table', () => {
  it('keep patient, site and split', async () => {
    for (const name of ['a', 'b', 'c']) write(`files/${name}.jpg`, await testImage(name));
    write('table.csv', 'file,label,patient,hospital,set\na.jpg,0,007,north,train\nb.jpg,1,008,south,val\nc.jpg,1,,,\n');
    const { folder: made, report } = await compiled(define({ source: table }));
    expect(report.counts).toMatchObject({
      bySite: { north: 1, south: 1, '(unknown)': 1 },
      bySplit: { train: 1, validation: 1 },
    });
    const rows = (await readShardIndex(join(made, 'index.arrow'))).objects() as Record<string, unknown>[];
    expect(rows.map(({ slide, patient, site, split }) => [slide, patient, site, split])).toEqual([
      ['a', '007', 'north', 'train'],
      ['b', '008', 'south', 'validation'],
      ['c', null, null, null],
    ]);
    write('table.csv', 'file,label,patient,hospital,set\na.jpg,0,007,north,left\n');
    await expect(compiled(define({ source: table }))).rejects.toThrow(/row 1: "left" is not the name of a split/);
    write('table.csv', 'file,label,patient,hospital,set\na.jpg,0,007,north,train\nx\\b.jpg,0,008,north,train\n');
    const { lock } = await resolveDataset(define({ source: table }), { out: join(folder, 'source') });
    expect(lock.excluded.map(({ reason }) => reason).join()).toMatch(/has backslashes; write "\/"/);
  });

  it("are audited by their table's split, unless another one is asked for", async () => {
    const said = vi.spyOn(console, 'log').mockImplementation(() => {});
    for (const name of ['a', 'b', 'c']) write(`files/${name}.jpg`, await testImage(name));
    const head = 'file,label,patient,hospital,set\na.jpg,0,p1,north,train\nb.jpg,1,p1,north,test\n';
    const audited = async (last: string, ...words: string[]) => {
      write('table.csv', `${head}${last}\n`);
      return audit([(await compiled(define({ source: table }))).folder, ...words]);
    };
    expect(await audited('c.jpg,1,p3,north,train')).toBe(2);
    expect(said.mock.calls[0]![0]).toMatch(/^existing split: NOT CLEAN: 1 patient across splits/);
    await expect(audited('c.jpg,1,p3,north,')).rejects.toThrow(/1 patches are in no split; assign/);
    const bySlide = ['--by', 'slide', '--validation', '0', '--test', '.3', '--folds', '1', '--apart', 'none'];
    expect(await audited('c.jpg,1,p3,north,', ...bySlide)).toBe(0);
    expect(said.mock.calls.flat().join('\n')).toMatch(/by slide, fold 1 of 1: Clean/);
  });

  it('without patients are no split to audit by patient, which is said before any is read', async () => {
    for (const name of ['a', 'b']) write(`files/${name}.jpg`, await testImage(name));
    write('table.csv', 'file,label\na.jpg,0\nb.jpg,1\n');
    const source = { ...table, columns: { path: 'file', class: 'label' } };
    const split = { by: 'patient', validation: 0, test: 0.5, folds: 1, stratified: false };
    const { folder: shards } = await compiled(define({ source, split }));
    // Nothing of its images can be read.
    const tars = readdirSync(shards).filter((name) => name.endsWith('.tar'));
    expect(tars.length).toBe(1);
    for (const name of tars) rmSync(join(shards, name));
    await expect(audit([shards])).rejects.toThrow(
      /the shards have no patients\. Name .* or leave patient out of --apart/,
    );
    await expect(audit([shards, '--apart', 'none'])).rejects.toThrow(
      /the shards have no patients\. .* or split by another group \(--by slide\)/,
    );
  });

  it('are audited all by what the index says, however few are read, and are not called clean for it', async () => {
    const said = vi.spyOn(console, 'log').mockImplementation(() => {});
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    for (const name of names) write(`files/${name}.jpg`, await testImage(name));
    const audited = async (patientOfLast: string, ...words: string[]) => {
      const rows = names.map((name, n) => {
        const patient = name === 'f' ? patientOfLast : `p${n}`;
        return `${name}.jpg,${n % 2},${patient},north,${n < 3 ? 'train' : 'test'}`;
      });
      write('table.csv', ['file,label,patient,hospital,set', ...rows].join('\n'));
      said.mockClear();
      const code = await audit([(await compiled(define({ source: table }))).folder, ...words]);
      return { code, said: said.mock.calls.flat().join('\n') };
    };
    // Of six, a and d are read; b and f are of one patient.
    const leak = await audited('p1', '--max-images', '2');
    expect(leak.code).toBe(2);
    expect(leak.said).toMatch(/NOT CLEAN: 1 patient across splits, .*\(4 rows not compared\).* Split: train 3, test 3/);
    expect(leak.said).toMatch(/patient p1: test 1, train 1 \(b\/\d, f\/\d\)/);
    expect(leak.said).toMatch(
      /2 of 6 images were compared.*; exact duplicates and similar images among the other 4 are unknown/,
    );
    const none = await audited('p5', '--max-images', '2');
    expect([none.code, none.said]).toEqual([
      2,
      expect.stringMatching(/NOT KNOWN to be clean: 0 patients across splits/),
    ]);
    expect((await audited('p5', '--max-images', '6')).code).toBe(0);

    // They are divided as if all had been read.
    const anew = ['--by', 'patient', '--validation', '.2', '--test', '.2', '--folds', '1'];
    const splits = async (...words: string[]) => /Split: .*/.exec((await audited('p1', ...anew, ...words)).said)![0];
    expect(await splits('--max-images', '2')).toBe(await splits());
    const unknown = await audited('', ...anew);
    expect(unknown.said).toMatch(/1 images are in no split, because the split's group is unknown for them/);
    expect((await audited('p5', ...anew)).said).not.toMatch(/in no split/);
    const page = join(folder, 'audit.json');
    await audited('p1', ...anew, '--by', 'patient-and-duplicates', '--max-images', '2', '--report', page);
    const { audits, compared, total } = JSON.parse(readFileSync(page, 'utf8'));
    expect([compared, total, audits[0].unknown]).toEqual([2, 6, { patient: 0, 'exact duplicate': 4 }]);
  });

  it('take labels from masks, also at another size', async () => {
    const values = Buffer.alloc(48 * 48, 3).fill(5, 0, 48 * 12);
    const mask = (bytes: Buffer, side: number) =>
      sharp(bytes, { raw: { width: side, height: side, channels: 1 } })
        .png()
        .toBuffer();
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f', 'g']) write(`files/${name}.jpg`, await testImage(name));
    write('files/a.png', await mask(values, 48));
    write('files/b.png', await mask(Buffer.alloc(32 * 32, 3), 32));
    write('files/c.png', await mask(Buffer.alloc(48 * 48, 9), 48));
    // Cut to bytes all of its values would be 0; and of JPEG nobody knows what they were.
    const plain = sharp(Buffer.alloc(48 * 48, 3), { raw: { width: 48, height: 48, channels: 1 } });
    write('files/d.png', await plain.clone().toColourspace('grey16').png().toBuffer());
    write('files/e-mask.jpg', await plain.clone().jpeg({ quality: 100 }).toBuffer());
    write('files/f.webp', await plain.clone().webp().toBuffer());
    write('files/g.png', pngFile(48, [...values], { depth: 4, palette: Array(6).fill([0, 0, 0]) }));
    const masks = ['a.png', 'b.png', 'c.png', 'd.png', 'e-mask.jpg', 'f.webp', 'g.png'];
    write('table.csv', `file,mask\n${masks.map((name) => `${name[0]}.jpg,${name}\n`).join('')}`);
    const source = { ...table, columns: { path: 'file', mask: 'mask' } };
    const labels = { from: 'mask', classes, values: { '*': { 3: 'benign', 5: 'cancer' } } };
    const { folder: made, report } = await compiled(define({ source, labels }), { size: 24 });
    expect(report.failures).toEqual([
      { slide: 'b', reason: 'its mask b.png is 32 x 32 px and the patch 48 x 48 px' },
      { slide: 'c', reason: expect.stringMatching(/its mask c\.png holds the value 9/) },
      { slide: 'd', reason: 'its mask d.png holds 16-bit values; write class numbers with 8 bits' },
      { slide: 'e', reason: 'its mask e-mask.jpg is jpeg, which may change labels; write it as PNG' },
      { slide: 'f', reason: 'its mask f.webp is webp, which may change labels; write it as PNG' },
    ]);
    const shard = readFileSync(join(made, 'patches-00001-of-00001.tar'));
    const [patch, ofPalette] = (await readShard(join(made, 'patches-00001-of-00001.tar'))).patches;
    expect(ofPalette!.facts.scores).toEqual(patch!.facts.scores);
    expect(patch!.facts).toMatchObject({ class: 'benign', scores: { share_benign: 0.75, share_cancer: 0.25 } });
    const png = shard.subarray(patch!.mask!.offset, patch!.mask!.offset + patch!.mask!.length);
    const data = await sharp(png).extractChannel(0).raw().toBuffer();
    expect([data.length, data[0], data[24 * 6 - 1], data[24 * 6]]).toEqual([24 * 24, 1, 1, 0]);
  });

  it('leave pixels out whose mask value is mapped to null, also where no others are', async () => {
    const values = [
      Buffer.alloc(48 * 48, 9)
        .fill(5, 0, 48 * 12)
        .fill(3, 0, 48 * 4),
      Buffer.alloc(48 * 48, 7),
    ];
    for (const [place, name] of ['a', 'b'].entries()) {
      write(`files/${name}.jpg`, await testImage(name));
      const raw = { raw: { width: 48, height: 48, channels: 1 } } as const;
      write(`files/${name}.png`, await sharp(values[place]!, raw).png().toBuffer());
    }
    write('table.csv', 'file,mask\na.jpg,a.png\nb.jpg,b.png\n');
    const source = { ...table, columns: { path: 'file', mask: 'mask' } };
    const labels = { from: 'mask', classes, values: { '*': { 3: 'benign', 5: 'cancer', 9: null, 7: null } } };
    const { folder: made, report } = await compiled(define({ source, labels }));
    expect(report.ignoredMaskValues).toEqual([7, 9]);
    const dataset = await openShardDataset(made);
    expect(dataset.classNames).toEqual(['benign', 'cancer']);
    expect([...dataset.labels]).toEqual([1, -1]);
    const masks = await Promise.all(
      (await readEncoded(dataset, [0, 1])).map(({ mask }) => sharp(mask).extractChannel(0).raw().toBuffer()),
    );
    expect([0, 4, 12, 47].map((row) => masks[0]![row * 48])).toEqual([0, 1, 255, 255]);
    expect(new Set(masks[1])).toEqual(new Set([255]));
    const rows = dataset.index.objects() as Record<string, number>[];
    expect(rows.map((row) => [row.share_benign, row.share_cancer])).toEqual([
      [expect.closeTo(4 / 48, 6), expect.closeTo(8 / 48, 6)],
      [0, 0],
    ]);
    expect(await countMaskPixels(dataset, { ignore: 255 })).toEqual(Float64Array.of(4 * 48, 8 * 48));
    expect(describeData(dataset).join(' ')).toContain(
      'Pixels of the mask value 7, 9 are ignored: 87.5 % of all pixels.',
    );
    expect(readFileSync(join(made, 'CARD.md'), 'utf8')).toMatch(/ignored pixels \| of the mask value 7, 9/);
  });

  it.each<[string, string, RegExp]>([
    ['a file that is not there', 'z.jpg,0', /excluded: z\.jpg: table\.csv, row 3: there is no file z\.jpg/],
    ['a class that is unknown', 'c.jpg,7', /^$/],
    ['a file twice', 'c.jpg,0\nc.jpg,0', /excluded: c: its file c\.jpg is in the list more than once; keep one/],
    ['a path that leaves', '../b.jpg,0', /excluded: \.\.\/b\.jpg: table\.csv, row 3: .* is not a relative path inside/],
  ])('compile without %s', async (_, rows, message) => {
    for (const name of ['a', 'b', 'c']) write(`files/${name}.jpg`, await testImage(name));
    write('table.csv', `file,label\na.jpg,0\nb.jpg,1\n${rows}\n`);
    const labels = { from: 'slide', classes, values: { 0: 'benign', 1: 'cancer' }, unmapped: 'exclude' };
    const path = define({ source: { ...table, columns: { path: 'file', class: 'label' } }, labels });
    const errors = vi.spyOn(console, 'error').mockImplementation(() => {});
    const said = vi.spyOn(console, 'log').mockImplementation(() => {});
    const words = [path, '--data', join(folder, 'data'), '--source', join(folder, 'source')];
    const faulty = !message.test('');
    expect(await compile(words)).toBe(faulty ? 1 : 0);
    expect(said.mock.calls[0]).toEqual(['2 patches (2 copied, 0 re-encoded); 0 failed']);
    const told = errors.mock.calls.flat().join('\n');
    if (faulty) expect(told).toMatch(message);
    else expect(told).not.toContain('z.jpg');
  });

  it('are refused by the command with a class that is unknown, unless the definition leaves such out', async () => {
    for (const name of ['a', 'b']) write(`files/${name}.jpg`, await testImage(name));
    write('table.csv', 'file,label\na.jpg,0\nb.jpg,7\n');
    const path = define({ source: { ...table, columns: { path: 'file', class: 'label' } } });
    await expect(compile([path, '--data', join(folder, 'data'), '--source', join(folder, 'source')])).rejects.toThrow(
      /classes that are not in labels\.values: "7" \(1\); the map has 0, 1\. Add them, or set labels\.unmapped to "exclude"/,
    );
  });

  it('have no polygons, and class folders no masks', () => {
    const polygons = { from: 'annotation', classes, outside: 'benign', groups: { Tumor: 'cancer' } };
    expect(() => readDefinition(define({ labels: polygons }))).toThrow(/labels from polygons are for slides/);
    const masks = { from: 'mask', classes, values: { '*': { 1: 'benign' } } };
    expect(() => readDefinition(define({ labels: masks }))).toThrow(/kind "folder" has no masks/);
  });
});

it('pathlab init writes the definition that a folder stands for, which compiles, and overwrites none', async () => {
  for (const name of ['tumor/a', 'normal/b']) write(`files/${name}.jpg`, await testImage(name));
  const said = vi.spyOn(console, 'log').mockImplementation(() => {});
  const file = join(folder, 'written.json');
  expect(await init([join(folder, 'files'), '--out', file])).toBe(0);
  expect(said.mock.calls.flat()).toEqual(['files has a folder for each class: normal, tumor.', file]);
  expect((await compiled(file)).report.counts.byClass).toEqual({ normal: 1, tumor: 1 });
  await expect(init([join(folder, 'files'), '--out', file])).rejects.toThrow(/exists already; name another/);
  await expect(init([join(folder, 'nowhere')])).rejects.toThrow(/nowhere/);
});

it('the example of a patient pattern in environment.md finds the patient, and not the whole name', async () => {
  const text = readFileSync(join(projectRoot, 'environment.md'), 'utf8');
  const source = JSON.parse(/`(\{ "kind": "folder".*?\})`/s.exec(text)![1]!);
  for (const name of ['0/p1_left_3', '0/p1_right_4', '1/p2_5']) write(`patches/${name}.jpg`, await testImage(name));
  const { report } = await compiled(define({ source }));
  expect(report.counts.byPatient).toEqual({ p1: 2, p2: 1 });
});

describe('pathlab compile of precut patches', () => {
  it('plans, compiles, and says which patches failed', async () => {
    for (const name of ['a', 'b']) write(`files/0/p1_${name}.jpg`, await testImage(name));
    write('files/1/p2_bad.jpg', 'no image');
    const said: string[] = [];
    const errors: string[] = [];
    vi.spyOn(console, 'log').mockImplementation((line) => void said.push(String(line)));
    vi.spyOn(console, 'error').mockImplementation((line) => void errors.push(String(line)));
    const words = [define(), '--data', join(folder, 'data'), '--source', join(folder, 'source')];
    expect(await compile([...words, '--plan'])).toBe(0);
    expect(said.join('\n')).toMatch(/^patches {3}3, precut \(as they are\)/);
    said.length = 0;
    expect(await compile(words)).toBe(1);
    expect(said[0]).toBe('2 patches (2 copied, 0 re-encoded); 1 failed');
    expect(errors.join('\n')).toMatch(/1-p2_bad failed: p2_bad\.jpg is not a jpeg/);
    await expect(compile([...words, '--max-patches', '3'])).rejects.toThrow(/precut patches are not cut again/);
  });

  it('knows the folder before anything is read', async () => {
    const definition = readDefinition(define()) as DatasetDefinition;
    const plan = planCompile({ definition, slides: [{ id: 'a' }] }, { size: 64, data: folder });
    expect(describePlan(plan)).toMatch(/1, precut \(64 px\)/);
    expect(() => planCompile({ definition: readDefinition('ptcga200'), slides: [] }, { size: 64 })).toThrow(
      /has slides: /,
    );
  });
});

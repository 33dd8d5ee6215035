import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { key } from '../../src/base/index.js';
import {
  compileDataset,
  type DatasetDefinition,
  imagesOfFolder,
  readDefinition,
  resolveDataset,
  slidesOnDisk,
} from '../../src/datasets/index.js';
import { openSlide } from '../../src/slides/index.js';
import { ReaderPool, useReaderPool } from '../../src/slides/reader/pool.js';
import { readerTrap } from '../slides/reader-trap.js';
import { digests, smallDataset, temporaryFolder } from './small-dataset.js';

let folder: string;
beforeEach(() => {
  folder = temporaryFolder();
  const limits = { memoryLimit: 300 * 2 ** 20, nodeArguments: readerTrap(folder) };
  useReaderPool(new ReaderPool(2, limits, 8000));
});
afterEach(() => {
  useReaderPool(undefined);
  rmSync(folder, { recursive: true, force: true });
});

function write(name: string, content: Uint8Array | string): string {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

async function testImage(name: string): Promise<Buffer> {
  const generator = key(name).generator();
  const pixels = Uint8Array.from({ length: 48 * 48 * 3 }, () => generator.integer(256));
  return sharp(pixels, { raw: { width: 48, height: 48, channels: 3 } })
    .jpeg()
    .toBuffer();
}

const oneColor = (side: number, channels: 3 | 4) =>
  sharp({ create: { width: side, height: side, channels, background: '#050505' }, limitInputPixels: false });

const bomb = () => oneColor(8000, 4).png({ progressive: true, compressionLevel: 2 }).toBuffer();

/** A PNG whose header claims 2^40 pixels. */
async function huge(): Promise<Buffer> {
  const png = await oneColor(16, 3).png().toBuffer();
  png.writeUInt32BE(2 ** 20, 16);
  png.writeUInt32BE(2 ** 20, 20);
  return png;
}

const classes = [
  { name: 'benign', label: 0 },
  { name: 'cancer', label: 1 },
];

async function compilePatches(change: Partial<DatasetDefinition> & object, size?: number) {
  const definition = {
    ...readDefinition('ptcga200'),
    ...{ name: 'mine', unit: 'patches', geometry: null, minimumBytes: 0, exclusions: [] },
    ...change,
  };
  const path = write('mine.json', JSON.stringify(definition));
  const dataset = await resolveDataset(path, { out: join(folder, 'source') });
  const { ready } = slidesOnDisk(dataset);
  return compileDataset({ definition: dataset.definition, slides: ready }, { data: join(folder, 'data'), size });
}

describe('images made to harm', () => {
  it('in class folders cost themselves, each with its reason, and the rest compiles to the same bytes', async () => {
    const labels = { from: 'slide', classes, values: { 0: 'benign', 1: 'cancer' }, unmapped: 'error' } as const;
    const source = { kind: 'folder', folder: 'files', patientPattern: null } as const;
    for (let n = 0; n < 40; n++) write(`files/${n % 2}/good${n}.jpg`, await testImage(`${n}`));
    const before = await compilePatches({ source, labels }, 48);
    expect(before.report.counts.patches).toBe(40);
    const images = async () => (await digests(before.folder))['index.arrow'];
    const index = await images();
    write('files/0/crash.jpg', await testImage('crash'));
    write('files/1/hang.jpg', await testImage('hang'));
    write('files/0/bomb.png', await bomb());
    write('files/1/huge.png', await huge());
    write('files/1/cut.jpg', (await testImage('cut')).subarray(0, 1500));
    const { report } = await compilePatches({ source, labels }, 48);
    expect(report.counts.patches).toBe(40);
    expect(report.failures).toEqual([
      { slide: '0-bomb', reason: expect.stringMatching(/^bomb\.png .*memory/) },
      { slide: '0-crash', reason: 'crash.jpg cannot be read: the process that was reading it ended (SIGSEGV).' },
      { slide: '1-cut', reason: expect.stringMatching(/^cut\.jpg cannot be decoded/) },
      {
        slide: '1-hang',
        reason: 'hang.jpg cannot be read: the process that was reading it took longer than 8 s and was stopped.',
      },
      { slide: '1-huge', reason: expect.stringMatching(/^huge\.png claims to be 1048576 x 1048576 px; .* 8192 px/) },
    ]);
    expect(JSON.stringify(report)).not.toContain(folder);
    expect(await images()).toBe(index);
  });

  it('as masks of patches cost the patch alone', async () => {
    const mask = await sharp(Buffer.alloc(48 * 48, 3), { raw: { width: 48, height: 48, channels: 1 } })
      .png()
      .toBuffer();
    const noise = Buffer.from(Uint8Array.from({ length: 48 * 48 }, (_, at) => (at * 7919) % 251));
    const long = await sharp(noise, { raw: { width: 48, height: 48, channels: 1 } })
      .png()
      .toBuffer();
    const masks: Record<string, Buffer> = {
      good: mask,
      cut: long.subarray(0, long.length / 2),
      crash: mask,
      huge: await huge(),
    };
    const rows: string[] = [];
    for (const [name, bytes] of Object.entries(masks)) {
      write(`files/${name[0]}-${rows.length}.jpg`, await testImage(name));
      write(`files/${name}.png`, bytes);
      rows.push(`${name[0]}-${rows.length}.jpg,${name}.png`);
    }
    write('table.csv', `file,mask\n${rows.join('\n')}\n`);
    const labels = { from: 'mask', classes, values: { '*': { 3: 'benign', 5: 'cancer' } } } as const;
    const columns = { path: 'file', mask: 'mask' };
    const { report } = await compilePatches({
      source: { kind: 'csv', table: 'table.csv', folder: 'files', columns },
      labels,
    });
    expect(report.counts.patches).toBe(1);
    expect(report.failures.map(({ reason }) => reason)).toEqual([
      expect.stringMatching(/^cut\.png cannot be decoded/),
      expect.stringMatching(/^crash\.png cannot be read: .* ended \(SIGSEGV\)/),
      expect.stringMatching(/^huge\.png claims to be 1048576 x 1048576 px/),
    ]);
  });

  it('as masks of slides cost the slide alone', async () => {
    const { definition, slides } = await smallDataset(4);
    const slide = await openSlide(slides[0]!.path);
    const { width, height } = slide;
    await slide.close();
    const values = Buffer.from(Uint8Array.from({ length: width * height }, (_, at) => (at % 7 < 3 ? 3 : 5)));
    const mask = await sharp(values, { raw: { width, height, channels: 1 } })
      .png()
      .toBuffer();
    const paths = [
      write('good.png', mask),
      write('cut.png', mask.subarray(0, mask.length / 2)),
      write('crash.png', mask),
      write('huge.png', await huge()),
    ];
    const masked = slides.map((record, place) => ({ ...record, mask: paths[place]! }));
    const labels = { from: 'mask', classes, values: { '*': { 3: 'benign', 5: 'cancer' } } } as const;
    const options = { data: join(folder, 'data') };
    const { report } = await compileDataset({ definition: { ...definition, labels }, slides: masked }, options);
    expect(report.slides.map(({ slide: id }) => id)).toEqual([slides[0]!.id]);
    const reasons = report.failures.map(({ reason }) => reason);
    expect(reasons).toEqual([
      expect.stringMatching(/mask cut\.png cannot be decoded/),
      expect.stringMatching(/mask crash\.png cannot be read: .* ended \(SIGSEGV\)/),
      expect.stringMatching(/mask huge\.png claims to be 1048576 x 1048576 px/),
    ]);
  });

  it("in PANDA's folder cost the slide alone, when its list is made", async () => {
    const ids = ['good', 'crash', 'huge'];
    const tiff = await sharp(await testImage('panda'))
      .tiff()
      .toBuffer();
    for (const id of ids) {
      write(`panda/train_images/${id}.tiff`, id === 'huge' ? await huge() : tiff);
      write(`panda/train_label_masks/${id}_mask.tiff`, tiff);
    }
    write('panda/train.csv', `image_id,data_provider\n${ids.map((id) => `${id},radboud`).join('\n')}\n`);
    const wanted = { out: join(folder, 'source'), from: join(folder, 'panda') };
    const { lock } = await resolveDataset('segpanda200', wanted);
    expect(lock.slides.map(({ id }) => id)).toEqual(['good']);
    expect(Object.fromEntries(lock.excluded.map(({ id, reason }) => [id, reason]))).toEqual({
      crash: expect.stringMatching(/^train_images\/crash\.tiff cannot be read: .* ended \(SIGSEGV\)/),
      huge: expect.stringMatching(/^train_images\/huge\.tiff claims to be 1048576 x 1048576 px/),
    });
  });

  it('in an audited folder end the audit with their name, and not the process', async () => {
    for (const split of ['train', 'test']) write(`split/${split}/a-${split}.jpg`, await testImage(split));
    expect((await imagesOfFolder(join(folder, 'split'))).images.length).toBe(2);
    write('split/test/crash.jpg', await testImage('crash'));
    await expect(imagesOfFolder(join(folder, 'split'))).rejects.toThrow(
      /split\/test\/crash\.jpg cannot be read: the process that was reading it ended \(SIGSEGV\)/,
    );
  });
});

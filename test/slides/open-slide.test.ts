import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sha256 } from '../../src/base/index.js';
import { outputOf } from '../../src/report/show.js';
import { openSlide, thumbnail } from '../../src/slides/index.js';
import { findOpenSlide } from '../../src/slides/library.js';
import { samplePath } from './sample.js';
import { writeSmallSlide } from './small-slide.js';

const reference = JSON.parse(
  readFileSync(new URL('../fixtures/openslide-cmu-1/reference.json', import.meta.url), 'utf8'),
) as {
  vendor: string;
  levels: [number, number][];
  properties: Record<string, string>;
  associatedImages: Record<string, { width: number; height: number; sha256: string }>;
  regions: { x: number; y: number; width: number; height: number; sha256: string }[];
  resampled: { x: number; y: number; side: number; size: number; rgb: string };
};

describe.skipIf(!samplePath)('the real sample slide, against openslide-python', () => {
  const sample = () => openSlide(samplePath!);

  it('has the same levels, properties and associated images', async () => {
    const slide = await sample();
    expect(slide.vendor).toBe(reference.vendor);
    expect(slide.levels.map(({ width, height }) => [width, height])).toEqual(reference.levels);
    expect(slide.properties).toEqual(reference.properties);
    expect(slide.magnification).toEqual({ mpp: 0.499, source: 'mpp' });
    expect(slide.synthetic).toBe(false);
    expect(Object.keys(slide.associatedImages).sort()).toEqual(Object.keys(reference.associatedImages).sort());
    for (const [name, { width, height, sha256: expected }] of Object.entries(reference.associatedImages)) {
      const image = await slide.readAssociatedImage(name);
      expect([image.width, image.height]).toEqual([width, height]);
      expect(sha256(image.pixels)).toBe(expected);
    }
    await slide.close();
  });

  it('gives the same pixels, also beyond its edges, with many reads in flight', async () => {
    const slide = await sample();
    const read = await Promise.all(reference.regions.map((region) => slide.readRegion({ ...region, level: 0 })));
    expect(read.map((image) => sha256(image.pixels))).toEqual(reference.regions.map((region) => region.sha256));
    await slide.close();
  });

  it('resamples as Pillow does, bit for bit, also from edges within a pixel', async () => {
    const slide = await sample();
    const { x, y, size, rgb, sha256At512 } = reference.resampled;
    const image = await slide.readAt({ x, y, width: size, height: size, mpp: (0.499 * 400.75) / size });
    expect(Buffer.from(image.pixels).equals(Buffer.from(rgb, 'base64'))).toBe(true);
    const large = await slide.readAt({ x, y, width: 512, height: 512, mpp: (0.499 * 400.75) / 512 });
    expect(sha256(large.pixels)).toBe(sha256At512);
    await slide.close();
  });
});

describe('openSlide', () => {
  let folder: string;
  let path: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'pathlab-slides-'));
    path = join(folder, 'slide.tif');
    await writeSmallSlide(path, 'open', { columns: 2, rows: 1 });
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('says what is wrong with what is not a slide', async () => {
    const write = (name: string, content: Uint8Array | string) => {
      writeFileSync(join(folder, name), content);
      return join(folder, name);
    };
    await expect(openSlide(join(folder, 'none.svs'))).rejects.toThrow(/the slide .*none\.svs does not exist/);
    await expect(openSlide(folder)).rejects.toThrow(/is not a file/);
    await expect(openSlide(write('empty.svs', ''))).rejects.toThrow(/empty\.svs is empty/);
    await expect(openSlide(write('text.svs', 'not a slide'))).rejects.toThrow(/text\.svs is in no slide format/);
    await expect(openSlide(write('a.png', Buffer.from('\x89PNG\r\n\x1a\n', 'latin1')))).rejects.toThrow(
      /it is a PNG\. /,
    );
    const pointer = 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n';
    await expect(openSlide(write('lfs.svs', pointer))).rejects.toThrow(/lfs\.svs is a Git LFS pointer/);
    const whole = readFileSync(path);
    await expect(openSlide(write('cut.tif', whole.subarray(0, whole.length / 2)))).rejects.toThrow(/cut\.tif/);
  });

  it('reports pixels that cannot be decoded', async () => {
    const broken = Buffer.from(readFileSync(path));
    broken.fill(0, 1000, Math.floor(broken.length / 2));
    writeFileSync(join(folder, 'broken.tif'), broken);
    const slide = await openSlide(join(folder, 'broken.tif'));
    const { width, height } = slide;
    await expect(slide.readRegion({ x: 0, y: 0, level: 0, width, height })).rejects.toThrow(/broken\.tif: /);
    await slide.close();
  });

  it('refuses reads that make no sense', async () => {
    const slide = await openSlide(path);
    const region = { x: 0, y: 0, level: 0, width: 10, height: 10 };
    await expect(slide.readRegion({ ...region, level: 99 })).rejects.toThrow(/has levels 0 to \d, not 99/);
    await expect(slide.readRegion({ ...region, x: 0.5 })).rejects.toThrow(/whole level-0 pixels/);
    await expect(slide.readRegion({ ...region, width: 0 })).rejects.toThrow(/whole pixels above 0; got 0 x 10/);
    await expect(slide.readRegion({ ...region, width: 1e5, height: 1e5 })).rejects.toThrow(/too much for one read/);
    await expect(slide.readAt({ ...region, mpp: 0 })).rejects.toThrow(/mpp must be above 0/);
    await expect(slide.readAssociatedImage('label')).rejects.toThrow(/no associated image "label"; it has: none/);
    await slide.close();
  });

  it('closes after the reads in flight, twice without harm, and reads no more', async () => {
    const slide = await openSlide(path);
    const inFlight = Array.from({ length: 8 }, (_, index) =>
      slide.readRegion({ x: 100 * index, y: 0, level: 0, width: 300, height: 300 }),
    );
    const closed = slide.close();
    expect(slide.close()).toBe(closed);
    const read = await Promise.all(inFlight);
    expect(read.every((image) => image.pixels.length === 300 * 300 * 3)).toBe(true);
    await closed;
    await expect(slide.readRegion({ x: 0, y: 0, level: 0, width: 9, height: 9 })).rejects.toThrow(/was closed/);
  });

  it('reads the coarsest level that is fine enough', async () => {
    const slide = await openSlide(path);
    expect([0.3, 0.5, 0.9, 1, 2.5, 1000].map((mpp) => slide.levelFor(mpp))).toEqual([
      0,
      0,
      0,
      1,
      2,
      slide.levels.length - 1,
    ]);
    const small = await thumbnail(slide, 100);
    expect([small.width, small.height]).toEqual([100, 75]);
    expect(small.umPerPixel).toBeCloseTo(8, 6);
    const [shown] = (await outputOf(slide))!;
    expect(shown['text/plain']).toMatch(/\.tif: \d+ x \d+ px, [\d.]+ um\/px, \d+ levels, /);
    const image = await sharp(Buffer.from(shown['image/png'] as string, 'base64')).metadata();
    expect(Math.max(image.width, image.height)).toBe(512);
    await slide.close();
  });
});

describe('findOpenSlide', () => {
  it('says where it looked and what to do', () => {
    expect(() => findOpenSlide('/nowhere', undefined)).toThrow(/\/nowhere\/.venv\/lib.*npm run setup/);
    expect(() => findOpenSlide('/nowhere', '/nowhere/libopenslide.so')).toThrow(/PATHLAB_OPENSLIDE names \/nowhere/);
  });
});

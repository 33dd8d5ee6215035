import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { key } from '../../src/base/index.js';
import { outputOf } from '../../src/report/show.js';
import {
  openSlide,
  patchGrid,
  polygonLabels,
  readPatches,
  type Slide,
  slideOverview,
  type TissueMask,
  tissueFraction,
  tissueMask,
} from '../../src/slides/index.js';
import { otsuThreshold } from '../../src/slides/tissue/otsu.js';
import { samplePath } from './sample.js';
import { writeSmallSlide } from './small-slide.js';

let folder: string;
let slide: Slide;
let mask: TissueMask;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pathlab-patches-'));
  await writeSmallSlide(join(folder, 'slide.tif'), 'patches', { columns: 3, rows: 2 });
  slide = await openSlide(join(folder, 'slide.tif'));
  mask = await tissueMask(slide);
});
afterAll(async () => {
  await slide.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('tissueMask', () => {
  it('finds the tissue that was drawn and nothing else', () => {
    // 200 um of glass around 600 x 400 um of tissue, whose outline reaches up to 30 um into the glass and as far inwards.
    expect(tissueFraction(mask, 464, 464, 1072, 672)).toBeGreaterThan(0.99);
    expect(tissueFraction(mask, 0, 0, slide.width, 250)).toBe(0);
    expect(tissueFraction(mask, 0, 0, 250, slide.height)).toBe(0);
    expect(mask.umPerPixel).toBeCloseTo(8, 1);
    expect(mask.method).toMatch(/Otsu/);
  });

  it('calls a slide of tissue only tissue, and a slide of glass only glass', async () => {
    const crop = async (name: string, region: { left: number; top: number; width: number; height: number }) => {
      const path = join(folder, name);
      await sharp(slide.path, { limitInputPixels: false })
        .extract(region)
        .tiff({ tile: true, pyramid: true, compression: 'jpeg', quality: 95, xres: 2000, yres: 2000 })
        .toFile(path);
      const opened = await openSlide(path, { mpp: 0.5 });
      const found = await tissueMask(opened);
      await opened.close();
      return found.data.reduce((sum, value) => sum + value, 0) / found.data.length;
    };
    expect(await crop('tissue.tif', { left: 500, top: 500, width: 900, height: 600 })).toBeGreaterThan(0.93);
    expect(await crop('glass.tif', { left: 0, top: 0, width: 900, height: 300 })).toBe(0);
  });

  it('counts what lies off the slide as no tissue', () => {
    expect(tissueFraction(mask, slide.width, 0, 400, 400)).toBe(0);
    expect(tissueFraction(mask, 400, 400, 1200, 800)).toBeGreaterThan(
      tissueFraction(mask, 400, 400, 1200, slide.height),
    );
  });

  it('cannot be finer than the slide', async () => {
    await expect(tissueMask(slide, { umPerPixel: 0.1 })).rejects.toThrow(/coarser than the slide/);
  });
});

describe('otsuThreshold', () => {
  it('separates two heaps', () => {
    const random = key(3).generator();
    const values = Float32Array.from({ length: 4000 }, (_, index) => (index % 4 ? 0.1 : 0.8) + 0.03 * random.normal());
    const threshold = otsuThreshold(values);
    expect(threshold).toBeGreaterThan(0.15);
    expect(threshold).toBeLessThan(0.75);
    expect(otsuThreshold(new Float32Array(10))).toBe(0);
  });
});

describe('patchGrid', () => {
  it('keeps the places with tissue, in level-0 pixels, and records the resampling', () => {
    const index = patchGrid(slide, mask);
    expect(index.side).toBe(400);
    const places = Array.from(index.x, (x, patch) => [x, index.y[patch]!]);
    expect(places).toEqual([400, 800].flatMap((y) => [400, 800, 1200].map((x) => [x, y])));
    expect(Math.min(...index.tissue)).toBeGreaterThan(0.9);
    expect(index.rejected.x.length + index.x.length).toBe(5 * 4);
    expect(index.resampling).toEqual({ from: 0.5, to: 200 / 512, factor: 1.28, direction: 'upsampled' });
    expect([index.mpp, index.level]).toEqual([0.5, 0]);
  });

  it('keeps more with less tissue asked for, and all with none', () => {
    const counts = [0, 0.02, 0.5, 1].map((minimumTissue) => patchGrid(slide, mask, { minimumTissue }).x.length);
    expect(counts[0]).toBe(20);
    expect([...counts].sort((one, other) => other - one)).toEqual(counts);
  });

  it('refuses geometries that are none', () => {
    expect(() => patchGrid(slide, mask, { geometry: { micrometers: 0, pixels: 512 } })).toThrow(/above 0 um; got 0/);
    expect(() => patchGrid(slide, mask, { geometry: { micrometers: 200, pixels: 0.5 } })).toThrow(/whole pixels/);
    expect(() => patchGrid(slide, mask, { minimumTissue: 50 })).toThrow(/a fraction from 0 to 1; got 50/);
  });

  it.skipIf(!samplePath)('cuts the real sample at 0.39 um/px from 0.499 um/px, and says that it enlarges', async () => {
    const sample = await openSlide(samplePath!);
    const index = patchGrid(sample, await tissueMask(sample));
    expect(index.side).toBeCloseTo(200 / 0.499, 9);
    expect(index.resampling.direction).toBe('upsampled');
    expect(index.resampling.factor).toBeCloseTo(0.499 / 0.390625, 9);
    expect(index.x.length).toBeGreaterThanOrEqual(12);
    // The slide's upper left corner is glass; the epidermis runs down its middle.
    expect(Array.from(index.x).some((x, patch) => x === 0 && index.y[patch] === 0)).toBe(false);
    expect(Array.from(index.x).some((x, patch) => x === 1202 && index.y[patch] === 1603)).toBe(true);
    await sample.close();
  });
});

describe('readPatches', () => {
  it('reads each patch where the index says, at the geometry and smaller', async () => {
    const index = patchGrid(slide, mask);
    const progress: number[] = [];
    const full = await readPatches(slide, index, { onProgress: (done) => progress.push(done) });
    expect([full.count, full.size, full.mpp, full.level]).toEqual([6, 512, 200 / 512, 0]);
    expect(full.resampling.direction).toBe('upsampled');
    expect(progress).toEqual([1, 2, 3, 4, 5, 6]);
    const alone = await slide.readAt({ x: index.x[4]!, y: index.y[4]!, width: 512, height: 512, mpp: 200 / 512 });
    const bytes = 512 * 512 * 3;
    expect(Buffer.compare(full.images.subarray(4 * bytes, 5 * bytes), alone.pixels)).toBe(0);

    const small = await readPatches(slide, index, { size: 64, concurrency: 1 });
    expect(small.images.length).toBe(6 * 64 * 64 * 3);
    expect(small.mpp).toBe(200 / 64);
    expect(small.resampling).toMatchObject({ from: 2, direction: 'downsampled' });
    expect(small.level).toBe(2);
    // The small image shows the same area as the large one.
    const shrunk = await sharp(alone.pixels, { raw: { width: 512, height: 512, channels: 3 } })
      .resize(64, 64)
      .raw()
      .toBuffer();
    const itsBytes = small.images.subarray(4 * 64 * 64 * 3, 5 * 64 * 64 * 3);
    const difference = shrunk.reduce((sum, value, at) => sum + Math.abs(value - itsBytes[at]!), 0) / shrunk.length;
    expect(difference).toBeLessThan(6);
  });

  it('stops when it is told to', async () => {
    const stop = new AbortController();
    const reading = readPatches(slide, patchGrid(slide, mask), {
      size: 32,
      concurrency: 1,
      onProgress: (done) => done === 2 && stop.abort(),
      signal: stop.signal,
    });
    await expect(reading).rejects.toMatchObject({ name: 'InterruptedError' });
  });
});

describe('slideOverview', () => {
  it('draws the frames of the patches on the thumbnail', async () => {
    const index = patchGrid(slide, mask);
    const png = await slideOverview(slide, mask, index, { maxSize: 500 });
    const { data, info } = await sharp(png).removeAlpha().raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height]).toEqual([500, 480]);
    const isBlue = (x: number, y: number) => {
      const [red, , blue] = data.subarray(3 * (y * info.width + x));
      return blue! - red! > 60;
    };
    // Level-0 pixel 400 is at 100 of 500: the first frame's left edge, beside the tissue's middle.
    expect([99, 100, 101].some((x) => isBlue(x, 150))).toBe(true);
    expect([40, 41, 42].some((x) => isBlue(x, 150))).toBe(false);
  });

  it('is how a notebook shows a grid and a mask; of a closed slide in words', async () => {
    const own = await openSlide(slide.path, { mpp: 0.5 });
    const ownMask = await tissueMask(own);
    const grid = patchGrid(own, ownMask);
    const values: [unknown, RegExp, Promise<Uint8Array>][] = [
      [ownMask, /^Tissue mask, \d+ x \d+ px of 8\.\d+ um: \d/, slideOverview(own, ownMask)],
      [
        grid,
        /^Patch grid: \d+ patches of 200 um \(512 px\), 0 not drawn, \d+ places rejected$/,
        slideOverview(own, ownMask, grid),
      ],
    ];
    for (const [value, words, image] of values) {
      const [shown] = (await outputOf(value))!;
      expect(shown['text/plain']).toMatch(words);
      expect(Buffer.from(shown['image/png']!, 'base64')).toEqual(Buffer.from(await image));
    }
    await own.close();
    expect((await outputOf(grid))![0]).toEqual({
      'text/plain': expect.stringMatching(/^Patch grid: .*; no image: /),
    });
  });

  it('says in its legend that the size of a pixel is in doubt', async () => {
    const doubtful = await openSlide(slide.path, { mpp: 0.6 });
    const index = patchGrid(slide, mask);
    const [sure, doubted] = await Promise.all(
      [slide, doubtful].map(async (one) => sharp(await slideOverview(one, mask, index, { maxSize: 500 })).metadata()),
    );
    await doubtful.close();
    expect(doubted!.height).toBeGreaterThan(sure!.height);
  });

  it('draws annotated areas, tints a mask by its classes, and names those that are there', async () => {
    const index = patchGrid(slide, mask);
    const square = Float64Array.from([400, 400, 1200, 400, 1200, 1200, 400, 1200]);
    const polygons = [{ name: 'tumor', rings: [square] }];
    const source = polygonLabels(polygons, slide, { labels: { tumor: 2 } });
    const classes = [
      { label: 2, name: 'tumor', color: '#00ff00' },
      { label: 3, name: 'elsewhere', color: '#0000ff' },
    ];
    const drawn = async (options: object) => {
      const png = await slideOverview(slide, mask, index, { maxSize: 500, ...options });
      return sharp(png).removeAlpha().raw().toBuffer({ resolveWithObject: true });
    };
    const [plain, annotated] = [await drawn({}), await drawn({ polygons, labels: { source, classes } })];
    const at = ({ data, info }: typeof plain, x: number, y: number) => [
      ...data.subarray(3 * (y * info.width + x), 3 * (y * info.width + x) + 3),
    ];
    // Level-0 pixel 400 is at 100 of 500, 1200 at 300. Places in the middle of frames, where nothing else is drawn.
    const [inside, outside] = [
      [130, 130],
      [330, 330],
    ] as const;
    const half = at(plain, ...inside).map((value, channel) => Math.round(0.5 * value + 0.5 * [0, 255, 0][channel]!));
    expect(at(annotated, ...inside)).toEqual(half);
    expect(at(annotated, ...outside)).toEqual(at(plain, ...outside));
    const [red, green, blue] = at(annotated, 300, 230);
    expect(red! - green!).toBeGreaterThan(90);
    expect(red! - blue!).toBeGreaterThan(40);
    // Two more entries: the area and the one class that is there.
    expect(annotated.info.height - plain.info.height).toBe(40);
  });
});

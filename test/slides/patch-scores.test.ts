import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InterruptedError, key } from '../../src/base/index.js';
import {
  encodePatches,
  findTissue,
  focusMap,
  openSlide,
  patchGrid,
  readPatches,
  type Slide,
  slideOverview,
  type TissueMask,
  tissueMask,
  tissuePresets,
} from '../../src/slides/index.js';
import { writeSmallSlide } from './small-slide.js';

let folder: string;
let slide: Slide;
let mask: TissueMask;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pathlab-scores-'));
  await writeSmallSlide(join(folder, 'clean.tif'), 'scores', { columns: 3, rows: 2 });
  // Tissue from (400, 400) to (1600, 1200): its first patch out of focus, green ink over the second, black over the third.
  const clean = sharp(join(folder, 'clean.tif'), { limitInputPixels: false });
  const blurred = await clean
    .clone()
    .extract({ left: 400, top: 400, width: 400, height: 400 })
    .blur(6)
    .png()
    .toBuffer();
  const spot = (background: string) =>
    sharp({ create: { width: 250, height: 250, channels: 3, background } })
      .png()
      .toBuffer();
  await clean
    .composite([
      { input: blurred, left: 400, top: 400 },
      { input: await spot('#30a28c'), left: 875, top: 475 },
      { input: await spot('#050505'), left: 1275, top: 475 },
    ])
    .tiff({ tile: true, pyramid: true, compression: 'jpeg', quality: 90, xres: 2000, yres: 2000 })
    .toFile(join(folder, 'slide.tif'));
  slide = await openSlide(join(folder, 'slide.tif'), { mpp: 0.5 });
  mask = await tissueMask(slide);
});
afterAll(async () => {
  await slide.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('scores and limits', () => {
  it.each([0, 12, 30])(
    'tissue along a black border of gray value %d is not a pen mark, but ink on it is',
    async (value) => {
      const strip = {
        create: { width: 430, height: 1600, channels: 3 as const, background: { r: value, g: value, b: value } },
      };
      const ink = { create: { width: 200, height: 200, channels: 3 as const, background: '#30a28c' } };
      const path = join(folder, `border-${value}.tif`);
      await sharp(join(folder, 'clean.tif'), { limitInputPixels: false })
        .composite([
          { input: await sharp(strip).png().toBuffer(), left: 0, top: 0 },
          { input: await sharp(ink).png().toBuffer(), left: 440, top: 900 },
        ])
        .tiff({ tile: true, pyramid: true, compression: 'jpeg', quality: 90, xres: 2000, yres: 2000 })
        .toFile(path);
      const bordered = await openSlide(path, { mpp: 0.5 });
      const { scores, x, y } = patchGrid(bordered, await tissueMask(bordered), {
        minimumTissue: 0,
        maximumPen: 1,
        maximumBlack: 1,
      });
      await bordered.close();
      const at = (left: number, top: number) =>
        Array.from(x).findIndex((each, patch) => each === left && y[patch] === top);
      const [along, inked] = [at(400, 400), at(400, 800)];
      expect(scores.black[along]).toBeCloseTo(30 / 400, 1);
      expect(scores.pen[along]).toBe(0);
      expect(scores.tissue[along]).toBeGreaterThan(0.8);
      expect(scores.pen[inked]).toBeGreaterThan(0.2);
    },
  );

  it('each place has its scores, and what gives no patch has its reason', async () => {
    const focus = await focusMap(slide, mask);
    const every = patchGrid(slide, mask, { focus, minimumTissue: 0, maximumPen: 1, maximumBlack: 1 });
    const at = (x: number, y: number) =>
      Array.from(every.x).findIndex((left, patch) => left === x && every.y[patch] === y);
    const [blurred, inked, blackened, clean] = [at(400, 400), at(800, 400), at(1200, 400), at(800, 800)] as const;
    const { scores } = every;
    expect(scores.pen[inked]).toBeGreaterThan(0.35);
    expect(scores.black[blackened]).toBeGreaterThan(0.35);
    expect(scores.pen[clean]! + scores.black[clean]! + scores.background[clean]!).toBeLessThan(0.05);
    expect(scores.background[at(0, 0)]).toBe(1);
    expect(scores.sharpness[blurred]).toBeLessThan(0.5 * scores.sharpness[clean]!);

    const minimumSharpness = 0.75 * Math.min(...[800, 1200, 400].map((x) => scores.sharpness[at(x, 800)]!));
    const index = patchGrid(slide, mask, { focus, minimumSharpness });
    const reasonAt = (x: number, y: number) =>
      index.rejected.reason[
        Array.from(index.rejected.x).findIndex((left, place) => left === x && index.rejected.y[place] === y)
      ];
    expect([reasonAt(400, 400), reasonAt(800, 400), reasonAt(1200, 400), reasonAt(0, 0)]).toEqual([
      'blur',
      'pen',
      'black',
      'tissue',
    ]);
    expect(index.x.length).toBe(3);
    expect(index.x.length + index.rejected.reason.length).toBe(20);
    const overview = await sharp(await slideOverview(slide, mask, index, { maxSize: 500 }))
      .raw()
      .toBuffer({ resolveWithObject: true });
    expect(overview.info.height).toBeGreaterThan(375);
  });

  it('sharpness is measured only where it is asked for, and a limit without it is refused', () => {
    expect(Array.from(patchGrid(slide, mask).scores.sharpness).every(Number.isNaN)).toBe(true);
    expect(() => patchGrid(slide, mask, { minimumSharpness: 9 })).toThrow(/focusMap\(slide, mask\)/);
  });

  it('measuring sharpness is interrupted between reads', async () => {
    await expect(focusMap(slide, mask, { signal: AbortSignal.abort() })).rejects.toThrow(InterruptedError);
  });

  it('unknown presets are refused; known ones differ', async () => {
    await expect(tissueMask(slide, { preset: 'other' as 'clam' })).rejects.toThrow(
      /there are: pathlab, clam, histolab/,
    );
    const histolab = await tissueMask(slide, { preset: 'histolab', settings: { minimumArea: 0 } });
    expect(histolab.method).toMatch(/^darkness over [\d.]+ \(Otsu .* at 8\.00 um\/px/);
    const clam = await tissueMask(slide, { preset: 'clam', settings: { minimumArea: 0 } });
    // Saturation above 8 of 255, as in CLAM's own settings.
    expect(clam.method).toMatch(/^HSV saturation over 0\.031 \(fixed\) at 15\.87 um\/px.* median 112 um/);
  });

  it.each(['clam', 'histolab'] as const)('the preset %s finds a piece of tissue on white glass', async (name) => {
    const [width, height] = [400, 300];
    const pixels = new Uint8Array(width * height * 3).fill(250);
    const inside = (x: number, y: number) => x >= 100 && x < 300 && y >= 80 && y < 220;
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) if (inside(x, y)) pixels.set([200, 120, 180], 3 * (y * width + x));
    }
    const { tissue } = await findTissue({ pixels, width, height }, 16, tissuePresets[name]);
    const wrong = tissue.filter((one, at) => (one === 1) !== inside(at % width, Math.floor(at / width)));
    // Both let it grow a little at its edge.
    expect(wrong.length).toBeLessThan(0.15 * 200 * 140);
    expect(tissue[150 * width + 200]).toBe(1);
    expect(tissue[20 * width + 20]).toBe(0);
  });
});

describe('stride and draw', () => {
  it('a stride smaller than the side overlaps patches', () => {
    const options = { minimumTissue: 0, maximumPen: 1, maximumBlack: 1 };
    const index = patchGrid(slide, mask, { ...options, strideMicrometers: 100 });
    expect(index.stride).toBe(200);
    expect(index.x.length).toBe(9 * 7);
    expect(() => patchGrid(slide, mask, { strideMicrometers: 0 })).toThrow(/at least one pixel of the slide/);
  });

  it('at most N patches: drawn with the key, in the grid order, the rest remembered', () => {
    const options = { minimumTissue: 0, maximumPen: 1, maximumBlack: 1, maxPatches: 7 };
    const draw = (seed: number) => patchGrid(slide, mask, { ...options, key: key(seed) });
    const [one, again, other] = [draw(1), draw(1), draw(2)];
    expect(one.x.length).toBe(7);
    expect([one.x, one.y]).toEqual([again.x, again.y]);
    expect([one.x, one.y]).not.toEqual([other.x, other.y]);
    const order = Array.from(one.x, (x, patch) => one.y[patch]! * 1e6 + x);
    expect([...order].sort((a, b) => a - b)).toEqual(order);
    expect([one.passed, one.notDrawn.x.length]).toEqual([20, 13]);
    expect(() => patchGrid(slide, mask, { maxPatches: 7 })).toThrow(/give a key as well/);
    expect(() => patchGrid(slide, mask, { maxPatches: 0, key: key(1) })).toThrow(/positive integer/);
  });
});

describe('encodePatches', () => {
  it('gives in the order of the grid what readPatches reads, as JPEG', async () => {
    const index = patchGrid(slide, mask, { minimumTissue: 0 });
    const { images, size } = await readPatches(slide, index, { size: 128 });
    const order: number[] = [];
    for await (const { patch, data } of encodePatches(slide, index, { size: 128, quality: 100 })) {
      order.push(patch);
      const decoded = await sharp(data).raw().toBuffer();
      const raw = images.subarray(patch * size * size * 3, (patch + 1) * size * size * 3);
      const difference = decoded.reduce((sum, value, at) => sum + Math.abs(value - raw[at]!), 0) / raw.length;
      expect(difference).toBeLessThan(1.5);
    }
    expect(order).toEqual(Array.from(index.x, (_, patch) => patch));
  });
});

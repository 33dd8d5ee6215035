import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  gatherImages,
  loadPatchSet,
  type PatchSet,
  patchTable,
  type SlideSource,
  selectPatches,
  syntheticCohort,
} from '../../src/datasets/index.js';
import { labelOfPatch } from '../../src/datasets/labels.js';
import { key } from '../../src/runs/index.js';
import { samplePath } from '../slides/sample.js';

let folder: string;
let slides: readonly SlideSource[];
let set: PatchSet;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pathlab-set-'));
  const kinds = ['acinar', 'nested', 'diffuse', 'papillary'];
  ({ slides } = await syntheticCohort({ slides: 2, columns: 4, rows: 1, blockPatches: 1, kinds, folder }, key(6)));
  set = await loadPatchSet(slides, { size: 64 });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('loadPatchSet', () => {
  it('cuts labelled patches from synthetic slides', () => {
    expect([set.count, set.size, set.mpp, set.micrometers]).toEqual([8, 64, 3.125, 200]);
    expect(set.images.length).toBe(8 * 64 * 64 * 3);
    expect(set.slides).toEqual([...Array(4).fill('synthetic-01'), ...Array(4).fill('synthetic-02')]);
    expect(set.synthetic.every(Boolean)).toBe(true);
    for (const first of [0, 4]) {
      const labels = set.labels.slice(first, first + 4).sort();
      expect([...labels]).toEqual([0, 1, 2, 3]);
    }
  });

  it('labels each patch with what the record says was drawn there', () => {
    for (let patch = 0; patch < set.count; patch++) {
      const { labelMap, kinds } = slides.find((slide) => slide.id === set.slides[patch])!.record!;
      const cell = (pixels: number) => Math.floor((pixels + 200) / 2 / 20);
      const middle = labelMap.data[cell(set.y[patch]!) * labelMap.width + cell(set.x[patch]!)]!;
      expect(set.classNames[set.labels[patch]!]).toBe(kinds[middle]);
    }
  });

  it('keeps how each slide was resampled', () => {
    expect(set.sources.map((source) => source.patches)).toEqual([4, 4]);
    expect(set.sources[0]).toMatchObject({
      id: 'synthetic-01',
      synthetic: true,
      magnification: { mpp: 0.5, source: 'mpp' },
      atGeometry: { from: 0.5, to: 200 / 512, direction: 'upsampled' },
      resampling: { from: 2, to: 3.125, direction: 'downsampled' },
    });
    expect(set.sources[0]!.tissueMethod).toMatch(/optical density/);
  });

  it.skipIf(!samplePath)('joins the real sample, unlabelled and not synthetic, with synthetic slides', async () => {
    const sample = { id: 'real', path: samplePath!, synthetic: false, licence: 'CC0-1.0', origin: '', sha256: '' };
    const progress: number[] = [];
    const mixed = await loadPatchSet([sample, slides[0]!], { size: 32, onProgress: (done) => progress.push(done) });
    const real = mixed.slides.filter((slide) => slide === 'real').length;
    expect(real).toBeGreaterThan(10);
    expect(progress).toEqual([1, 2]);
    expect([...mixed.labels.slice(0, real)].every((label) => label === -1)).toBe(true);
    expect(mixed.synthetic.indexOf(true)).toBe(real);
    const [facts] = mixed.sources;
    expect(facts!.atGeometry).toMatchObject({ from: 0.499, direction: 'upsampled' });
    const table = patchTable(mixed);
    expect(table.numRows()).toBe(mixed.count);
    expect(table.filter((row: { class: string }) => row.class === 'unlabelled').numRows()).toBe(real);
  });

  it('refuses what makes no set', async () => {
    await expect(loadPatchSet([])).rejects.toThrow(/at least one slide/);
    await expect(loadPatchSet([slides[0]!, slides[0]!])).rejects.toThrow(/two slides are called "synthetic-01"/);
    const large = { geometry: { micrometers: 5000, pixels: 512 } };
    await expect(loadPatchSet(slides, large)).rejects.toThrow(/gives no patch: of 0 places of 5000 um/);
    const stopped = loadPatchSet(slides, { signal: AbortSignal.abort() });
    await expect(stopped).rejects.toMatchObject({ name: 'InterruptedError' });
  });
});

describe('labelOfPatch', () => {
  const record = (data: number[]) => ({
    labelMap: { umPerCell: 20, width: 10, height: 10, data },
    umPerPixel: 0.5,
    kinds: ['acinar', 'nested'],
  });
  const whole = { x: 0, y: 0, side: 400 };

  it('names the one kind of a patch, and none where kinds meet or there is glass only', () => {
    const cells = (first: number) => Array.from({ length: 100 }, (_, cell) => (cell < first ? 0 : 1));
    expect(labelOfPatch(record(cells(90)), whole)).toBe('acinar');
    expect(labelOfPatch(record(cells(10)), whole)).toBe('nested');
    expect(labelOfPatch(record(cells(50)), whole)).toBeUndefined();
    expect(labelOfPatch(record(new Array(100).fill(-1)), whole)).toBeUndefined();
    expect(labelOfPatch(record(cells(50)), { x: 0, y: 200, side: 200 })).toBe('nested');
  });
});

describe('gatherImages, selectPatches and patchTable', () => {
  it('take the patches asked for, in that order', () => {
    const bytes = 64 * 64 * 3;
    const image = (patch: number) => Buffer.from(set.images.subarray(patch * bytes, (patch + 1) * bytes));
    const gathered = Buffer.from(gatherImages(set, Int32Array.of(5, 0, 5)));
    expect(gathered.equals(Buffer.concat([image(5), image(0), image(5)]))).toBe(true);
    expect(() => gatherImages(set, [8])).toThrow(/no patch 8: the set has 8/);

    const some = selectPatches(set, [6, 1]);
    expect([some.count, some.slides]).toEqual([2, ['synthetic-02', 'synthetic-01']]);
    expect([...some.labels]).toEqual([set.labels[6], set.labels[1]]);
    expect([...some.x]).toEqual([set.x[6], set.x[1]]);
    expect(some.sources.map((source) => source.patches)).toEqual([1, 1]);
    expect(selectPatches(set, [0]).sources.length).toBe(1);
  });

  it('lists every patch with its class and its resampling', () => {
    const table = patchTable(set);
    expect(table.columnNames()).toContain('resampled');
    const counts = table.groupby('class').count().objects() as { class: string; count: number }[];
    expect(Object.fromEntries(counts.map((row) => [row.class, row.count]))).toEqual({
      acinar: 2,
      diffuse: 2,
      nested: 2,
      papillary: 2,
    });
    expect(table.object(7)).toMatchObject({
      slide: 'synthetic-02',
      mpp: 3.125,
      slideMpp: 0.5,
      resampled: 'downsampled',
    });
  });
});

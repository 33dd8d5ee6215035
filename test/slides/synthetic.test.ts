import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { key, sha256 } from '../../src/base/index.js';
import { openSlide, renderSection, type WrittenFile, writeSection } from '../../src/slides/index.js';
import { materialShares, ruifrokJohnston, tissueKind, tissueKinds } from '../../src/slides/synthetic/index.js';
import { Grain } from '../../src/slides/synthetic/noise.js';
import { paintTissue } from '../../src/slides/synthetic/paint-tissue.js';
import { material } from '../../src/slides/synthetic/painting.js';
import { colorTable, concentrationUnit } from '../../src/slides/synthetic/stains.js';
import { withImageDescription } from '../../src/slides/synthetic/tiff-description.js';
import { smallSection } from './small-slide.js';

describe('tissue kinds', () => {
  const grain = new Grain(key('grain').generator());
  const size = { width: 400, height: 400, umPerPixel: 0.5 };
  const style = { scale: 1, nucleusDiameter: 7 };

  it('are twenty', () => {
    expect(tissueKinds).toHaveLength(20);
    expect(new Set(tissueKinds.map((kind) => kind.name)).size).toBe(tissueKinds.length);
    expect(() => tissueKind('bone')).toThrow(/no tissue kind "bone"; known: acinar/);
  });

  const paintings = tissueKinds.map((kind) => ({
    kind,
    painted: [0, 1, 2, 3, 4, 5].map((area) =>
      paintTissue(kind, size, style, grain, key(5).fold(kind.name).fold(area).generator()),
    ),
  }));

  it.each(paintings)('$kind.name has the materials in the amounts that all have', ({ painted }) => {
    for (const painting of painted) {
      const counts = new Array<number>(4).fill(0);
      for (const value of painting.material) counts[value]! += 1 / painting.material.length;
      for (const name of ['lumen', 'stroma', 'cytoplasm', 'nucleus'] as const) {
        expect(Math.abs(counts[material[name]]! - materialShares[name])).toBeLessThan(0.03);
      }
    }
  });

  it.each(paintings)('$kind.name takes up each stain as all do', ({ painted }) => {
    for (const stain of ['hematoxylin', 'eosin'] as const) {
      const ofAll = paintings.flatMap((each) => each.painted.map((painting) => painting[stain]));
      const ofKind = painted.map((painting) => painting[stain]);
      expect(distributionDistance(ofKind, ofAll)).toBeLessThan(0.04);
    }
  });
});

describe('stain', () => {
  it('darkens light as Beer and Lambert say, with the vectors of Ruifrok and Johnston', () => {
    for (const vector of Object.values(ruifrokJohnston)) expect(Math.hypot(...vector)).toBeCloseTo(1, 2);
    const stain = { ...ruifrokJohnston, hematoxylinAmount: 2, eosinAmount: 0.5, glass: [240, 245, 250] as const };
    const table = colorTable(stain);
    expect([...table.subarray(0, 3)]).toEqual([240, 245, 250]);
    const [hematoxylin, eosin] = [80, 130];
    const color = [...table.subarray(3 * (256 * hematoxylin + eosin), 3 * (256 * hematoxylin + eosin) + 3)];
    const expected = stain.glass.map((glass, channel) => {
      const density = 2 * (hematoxylin / concentrationUnit) * ruifrokJohnston.hematoxylin[channel]!;
      return Math.round(
        glass * Math.exp(-density - 0.5 * (eosin / concentrationUnit) * ruifrokJohnston.eosin[channel]!),
      );
    });
    expect(color).toEqual(expected);
  });
});

const little = { columns: 2, rows: 2 };

describe('renderSection', () => {
  it('gives the same pixels for the same seed, and others for another', async () => {
    const draw = async (seed: string) =>
      sha256((await renderSection(smallSection(seed, { columns: 1, rows: 1 }))).pixels);
    expect(await draw('3')).toBe(await draw('3'));
    expect(await draw('3')).not.toBe(await draw('4'));
  });

  it('has glass around the tissue, and another kind in its lesions', async () => {
    const valued = (value: number) => ({ stroma: value, epithelium: value });
    const lesion = { kind: 'diffuse', group: 'tumor', share: 0.3, holeGroup: null, mask: valued(2) };
    const section = smallSection('1', { ...little, lesions: [lesion] });
    const { mask, width, height } = await renderSection({ ...section, tissue: { ...section.tissue, mask: valued(1) } });
    expect([width, height]).toEqual([1600, 1600]);
    const share = (value: number) => mask.filter((one) => one === value).length / mask.length;
    // A quarter of the slide is tissue.
    expect(share(1) + share(2)).toBeCloseTo(0.25, 1);
    expect(share(2)).toBeCloseTo(0.3 * 0.25, 1);
    expect(mask.subarray(0, 300 * width).every((value) => value === 0)).toBe(true);
  });

  it('refuses a kind that is none, and stops when it is told to', async () => {
    const bone = renderSection(smallSection('1', { ...little, kind: 'bone' }));
    await expect(bone).rejects.toThrow(/no tissue kind "bone"/);
    const rendering = renderSection(smallSection('1', little), AbortSignal.abort());
    await expect(rendering).rejects.toMatchObject({ name: 'InterruptedError' });
  });
});

describe('writeSection', () => {
  let folder: string;
  let path: string;
  let written: WrittenFile;
  const drawn = smallSection('2', little);
  const section = { ...drawn, scanner: { ...drawn.scanner, umPerPixel: 0.4 } };
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'pathlab-synthetic-'));
    path = join(folder, 'slide.tif');
    ({ slide: written } = await writeSection(section, { slide: path }));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('writes a pyramid that OpenSlide opens at the right magnification, and that says it is synthetic', async () => {
    const slide = await openSlide(path);
    expect([slide.width, slide.height]).toEqual([2000, 2000]);
    expect(slide.levels.length).toBeGreaterThanOrEqual(3);
    expect(slide.magnification.source).toBe('mpp');
    expect(slide.mpp).toBeCloseTo(0.4, 6);
    expect(slide.synthetic).toBe(true);
    expect(slide.properties['tiff.ImageDescription']).toMatch(/^SYNTHETIC H&E, drawn by pathlab.*not from a patient/);
    await slide.close();
  });

  it('holds the pixels that were drawn, but for JPEG', async () => {
    const { pixels, width } = await renderSection(section);
    const slide = await openSlide(path);
    const read = await slide.readRegion({ x: 600, y: 700, level: 0, width: 256, height: 256 });
    await slide.close();
    let difference = 0;
    for (let row = 0; row < 256; row++) {
      for (let at = 0; at < 256 * 3; at++) {
        difference += Math.abs(read.pixels[row * 768 + at]! - pixels[((700 + row) * width + 600) * 3 + at]!);
      }
    }
    expect(difference / read.pixels.length).toBeLessThan(10);
  });

  it('writes the same bytes again, and tells their hash', async () => {
    const bytes = readFileSync(path);
    expect(written).toEqual({ bytes: bytes.length, sha256: sha256(bytes) });
    const again = join(folder, 'again.tiff');
    await writeSection(section, { slide: again });
    expect(readFileSync(again).equals(bytes)).toBe(true);
  });

  it('describes TIFFs only, and once', () => {
    expect(() => withImageDescription(Buffer.from('MM\0*'), 'text')).toThrow(/not a classic little-endian TIFF/);
    expect(() => withImageDescription(readFileSync(path), 'text')).toThrow(/has an ImageDescription already/);
  });
});

/** Kolmogorov and Smirnov's distance: the largest difference between two cumulative distributions of bytes. */
function distributionDistance(one: readonly Uint8ClampedArray[], other: readonly Uint8ClampedArray[]): number {
  const cumulative = (lists: readonly Uint8ClampedArray[]) => {
    const total = lists.reduce((sum, values) => sum + values.length, 0);
    const counts = new Float64Array(256);
    for (const values of lists) for (const value of values) counts[value]! += 1 / total;
    for (let value = 1; value < 256; value++) counts[value]! += counts[value - 1]!;
    return counts;
  };
  const [first, second] = [cumulative(one), cumulative(other)];
  return first.reduce((largest, value, at) => Math.max(largest, Math.abs(value - second[at]!)), 0);
}

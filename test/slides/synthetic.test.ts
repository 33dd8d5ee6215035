import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { key, sha256 } from '../../src/runs/index.js';
import {
  materialShares,
  openSlide,
  renderSyntheticSlide,
  ruifrokJohnston,
  type SyntheticSlideFile,
  syntheticRecordPath,
  tissueKind,
  tissueKinds,
  writeSyntheticSlide,
} from '../../src/slides/index.js';
import { Grain } from '../../src/slides/synthetic/noise.js';
import { paintTissue } from '../../src/slides/synthetic/paint-tissue.js';
import { material } from '../../src/slides/synthetic/painting.js';
import { colorTable, concentrationUnit } from '../../src/slides/synthetic/stains.js';
import { withImageDescription } from '../../src/slides/synthetic/tiff-description.js';

const little = { columns: 2, rows: 2, blockPatches: 1 };

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

describe('renderSyntheticSlide', () => {
  it('gives the same pixels for the same key, and others for another', async () => {
    const draw = async (seed: number) =>
      sha256((await renderSyntheticSlide({ columns: 1, rows: 1 }, key(seed))).pixels);
    expect(await draw(3)).toBe(await draw(3));
    expect(await draw(3)).not.toBe(await draw(4));
  });

  it('shows every kind it was asked for equally often, and glass around them', async () => {
    const kinds = ['acinar', 'diffuse'];
    const { record } = await renderSyntheticSlide({ ...little, kinds }, key(1));
    expect(record.kinds).toEqual(kinds);
    const { width, height, umPerCell, data } = record.labelMap;
    expect([width * umPerCell, height * umPerCell]).toEqual([800, 800]);
    const count = (kind: number) => data.filter((label) => label === kind).length / data.length;
    expect(count(0)).toBeCloseTo(0.125, 1);
    expect(count(1)).toBeCloseTo(0.125, 1);
    expect(Math.abs(count(0) - count(1))).toBeLessThan(0.03);
    expect(data.slice(0, 8 * width).every((label) => label === -1)).toBe(true);
  });

  it('refuses options that make no slide', async () => {
    const refused = async (options: object) => renderSyntheticSlide(options, key(1));
    await expect(refused({ columns: 0 })).rejects.toThrow(/columns must be a whole number above 0; got 0/);
    await expect(refused({ rows: 1.5 })).rejects.toThrow(/rows must be/);
    await expect(refused({ umPerPixel: 40 })).rejects.toThrow(/umPerPixel must be between/);
    await expect(refused({ kinds: [] })).rejects.toThrow(/at least one tissue kind/);
    await expect(refused({ kinds: ['bone'] })).rejects.toThrow(/no tissue kind "bone"/);
    await expect(refused({ kinds: ['acinar', 'acinar'] })).rejects.toThrow(/named twice/);
    await expect(refused({ columns: 500, rows: 500 })).rejects.toThrow(/megapixels; the most is 400/);
  });

  it('stops when it is told to', async () => {
    const rendering = renderSyntheticSlide(little, key(1), AbortSignal.abort());
    await expect(rendering).rejects.toMatchObject({ name: 'InterruptedError' });
  });
});

describe('writeSyntheticSlide', () => {
  let folder: string;
  let path: string;
  let record: SyntheticSlideFile;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'pathlab-synthetic-'));
    path = join(folder, 'slide.tif');
    record = await writeSyntheticSlide(path, { ...little, umPerPixel: 0.4 }, key(2));
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
    const { pixels, width } = await renderSyntheticSlide({ ...little, umPerPixel: 0.4 }, key(2));
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

  it('writes the same bytes again, and a record with their hash', async () => {
    const bytes = readFileSync(path);
    expect(record.file).toEqual({ bytes: bytes.length, sha256: sha256(bytes) });
    expect(JSON.parse(readFileSync(syntheticRecordPath(path), 'utf8'))).toEqual(record);
    const again = join(folder, 'again.tiff');
    await writeSyntheticSlide(again, { ...little, umPerPixel: 0.4 }, key(2));
    expect(sha256(readFileSync(again))).toBe(record.file.sha256);
    expect(record).toMatchObject({ synthetic: true, umPerPixel: 0.4, key: key(2).toString() });
  });

  it('writes TIFFs only', async () => {
    await expect(writeSyntheticSlide(join(folder, 'a.svs'), little, key(1))).rejects.toThrow(/must end in .tif/);
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

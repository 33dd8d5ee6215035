import { mkdtempSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { key, sha256 } from '../../src/base/index.js';
import type { DatasetDefinition, DatasetSlide, SlideDataset } from '../../src/datasets/index.js';
import { writeSection } from '../../src/slides/index.js';
import { smallSection } from '../slides/small-slide.js';

export const temporaryFolder = () => mkdtempSync(join(tmpdir(), 'pathlab-dataset-'));

const kinds = ['acinar', 'diffuse', 'nested', 'papillary'];

const smallDefinition: DatasetDefinition = {
  format: 1,
  name: 'small',
  title: 'Small synthetic dataset',
  unit: 'slides',
  synthetic: true,
  origin: { name: 'drawn by the test', url: 'https://example.org' },
  source: { kind: 'slides', table: 'slides.csv', folder: '.', columns: { path: 'path' } },
  minimumBytes: 0,
  exclusions: [],
  labels: {
    from: 'slide',
    classes: kinds.map((name, label) => ({ name, label })),
    values: Object.fromEntries(kinds.map((name) => [name, name])),
    unmapped: 'error',
  },
  geometry: { micrometers: 200, pixels: 64, maxPatchesPerSlide: null, minimumTissue: 0.5 },
  split: { by: 'patient', validation: 0.1, test: 0.1, folds: 3, stratified: false },
  licence: { name: 'none needed', url: 'https://example.org' },
  citation: 'none',
  notes: [],
  expected: null,
  resolvedSha256: null,
};

/** Synthetic slides of eight patches each, with patients and sites; each is of one class, and every fifth of none. */
export async function smallDataset(slides: number): Promise<SlideDataset> {
  const folder = temporaryFolder();
  const drawn = Array.from({ length: slides }, async (_, place): Promise<DatasetSlide> => {
    const id = `synthetic-${String(place + 1).padStart(2, '0')}`;
    const path = join(folder, `${id}.tif`);
    const kind = kinds[place % kinds.length]!;
    const { slide } = await writeSection(smallSection(id, { columns: 4, rows: 2, kind }), { slide: path });
    return {
      id,
      path,
      synthetic: true,
      licence: 'none needed',
      origin: 'drawn by the test',
      sha256: slide.sha256,
      patient: `patient-${place >> 1}`,
      site: `site-${place % 2}`,
      class: place % 5 === 4 ? null : kind,
      mask: null,
      annotation: null,
    };
  });
  return { definition: { ...smallDefinition }, slides: await Promise.all(drawn) };
}

/** A square image of noise. */
export async function testImage(
  name: string,
  side = 48,
  format: 'jpeg' | 'png' = 'jpeg',
  height = side,
): Promise<Buffer> {
  const generator = key(name).generator();
  const pixels = Uint8Array.from({ length: side * height * 3 }, () => generator.integer(256));
  return sharp(pixels, { raw: { width: side, height, channels: 3 } })
    .toFormat(format)
    .toBuffer();
}

/** Digest of each file in a folder, by name. */
export async function digests(folder: string): Promise<Record<string, string>> {
  const names = (await readdir(folder, { withFileTypes: true })).filter((entry) => entry.isFile());
  const pairs = names.map(async ({ name }) => [name, sha256(await readFile(join(folder, name)))] as const);
  return Object.fromEntries((await Promise.all(pairs)).sort());
}

import { mkdtempSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DatasetDefinition, type SlideDataset, syntheticCohort } from '../../src/datasets/index.js';
import { key, sha256 } from '../../src/runs/index.js';

export const temporaryFolder = () => mkdtempSync(join(tmpdir(), 'pathlab-dataset-'));

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
  labels: { from: 'none' },
  geometry: { micrometers: 200, pixels: 64, mostPatchesPerSlide: null, minimumTissue: 0.5 },
  split: { by: 'patient', validation: 0.1, test: 0.1, folds: 3, stratified: false },
  licence: { name: 'none needed', url: 'https://example.org' },
  citation: 'none',
  notes: [],
  expected: null,
  resolvedSha256: null,
};

/** Synthetic slides of eight patches each, with patients and sites. */
export async function smallDataset(slides: number): Promise<SlideDataset> {
  const kinds = ['acinar', 'nested', 'diffuse', 'papillary'];
  const options = { slides, columns: 4, rows: 2, blockPatches: 1, kinds, folder: temporaryFolder() };
  const cohort = await syntheticCohort(options, key('small dataset'));
  return {
    definition: { ...smallDefinition },
    slides: cohort.slides.map((slide, place) => ({
      ...slide,
      class: null,
      mask: null,
      annotation: null,
      patient: `patient-${place >> 1}`,
      site: `site-${place % 2}`,
    })),
  };
}

/** Digest of each file in a folder, by name. */
export async function digests(folder: string): Promise<Record<string, string>> {
  const names = (await readdir(folder, { withFileTypes: true })).filter((entry) => entry.isFile());
  const pairs = names.map(async ({ name }) => [name, sha256(await readFile(join(folder, name)))] as const);
  return Object.fromEntries((await Promise.all(pairs)).sort());
}

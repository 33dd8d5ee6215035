import { mkdtempSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type SlideDataset, syntheticCohort } from '../../src/datasets/index.js';
import { key, sha256 } from '../../src/runs/index.js';

export const temporaryFolder = () => mkdtempSync(join(tmpdir(), 'pathlab-dataset-'));

/** Patches so small that compiling takes no time. */
export const smallCut = { geometry: { micrometers: 200, pixels: 64 } };

/** Synthetic slides of eight patches each, with patients and sites. */
export async function smallDataset(slides: number): Promise<SlideDataset> {
  const kinds = ['acinar', 'nested', 'diffuse', 'papillary'];
  const options = { slides, columns: 4, rows: 2, blockPatches: 1, kinds, folder: temporaryFolder() };
  const cohort = await syntheticCohort(options, key('small dataset'));
  return {
    name: 'small',
    title: 'Small synthetic dataset',
    licence: 'none needed',
    citation: 'none',
    origin: 'drawn by the test',
    splitRule: 'none',
    resolved: true,
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

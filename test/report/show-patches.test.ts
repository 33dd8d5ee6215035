import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, expect, it } from 'vitest';
import {
  type CompiledDataset,
  compileDataset,
  openShardDataset,
  readDefinition,
  resolveDataset,
  slidesOnDisk,
} from '../../src/datasets/index.js';
import type { GridImage } from '../../src/report/index.js';
import { maskLegend, patchGridImages, sampleRows } from '../../src/report/show-patches.js';
import { ignoredColor, maskColor } from '../../src/report/style.js';
import { smallDataset, temporaryFolder } from '../datasets/small-dataset.js';

let folder: string;
beforeEach(() => {
  folder = temporaryFolder();
  mkdirSync(join(folder, 'files'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function write(name: string, channels: 1 | 3, color: readonly number[]): Promise<void> {
  const pixels = Buffer.alloc(32 * 32 * channels, Uint8Array.from(color));
  await sharp(pixels, { raw: { width: 32, height: 32, channels } })
    .png()
    .toFile(join(folder, 'files', name));
}

const classes = [
  { name: 'benign', label: 0 },
  { name: 'cancer', label: 1 },
];

/** Compiles patches of one color each, by class, listed in a table. */
async function compilePatches(rows: readonly string[], labels: object) {
  const columns = { path: 'path', class: 'class', mask: 'mask', site: 'site' };
  const definition = {
    ...readDefinition('ptcga200'),
    ...{ name: 'mine', unit: 'patches', geometry: null, minimumBytes: 0, exclusions: [] },
    source: { kind: 'csv', table: 'table.csv', folder: 'files', columns },
    labels,
  };
  writeFileSync(join(folder, 'table.csv'), `path,class,mask,site\n${rows.join('\n')}\n`);
  writeFileSync(join(folder, 'mine.json'), JSON.stringify(definition));
  const dataset = await resolveDataset(join(folder, 'mine.json'), { out: join(folder, 'source') });
  const { ready } = slidesOnDisk(dataset);
  return compileDataset({ definition: dataset.definition, slides: ready }, { data: join(folder, 'data') });
}

const sampleOf = async ({ folder }: CompiledDataset, maxPatches: number) => {
  const dataset = await openShardDataset(folder);
  return patchGridImages(dataset, sampleRows(dataset, maxPatches));
};
const brightest = ({ pixels }: GridImage) => ['red', 'green', 'blue'][pixels.indexOf(Math.max(...pixels.slice(0, 3)))];

it('precut patches are sampled by class, as many of each', async () => {
  const rows: string[] = [];
  for (let n = 0; n < 12; n++) {
    await write(`p${n}.png`, 3, n % 3 === 0 ? [220, 30, 30] : [30, 30, 220]);
    rows.push(`p${n}.png,${n % 3 === 0 ? 1 : 0},,a`);
  }
  const labels = { from: 'slide', classes, values: { 0: 'benign', 1: 'cancer' }, unmapped: 'error' };
  const compiled = await compilePatches(rows, labels);
  const shown = (await sampleOf(compiled, 6)).flat();
  expect(shown.map((patch) => [patch.caption, brightest(patch), patch.mark])).toEqual([
    ...Array(3).fill(['benign', 'blue', undefined]),
    ...Array(3).fill(['cancer', 'red', undefined]),
  ]);
  // Of fewer than there are classes there is one of each of some.
  expect(await sampleOf(compiled, 1)).toHaveLength(1);
  expect(await sampleOf(compiled, 99)).toHaveLength(12);
});

it('precut patches with masks come with theirs, in the colors of its classes', async () => {
  await write('a.png', 3, [30, 220, 30]);
  await write('a-mask.png', 1, [5]);
  const labels = { from: 'mask', classes, values: { '*': { 3: 'benign', 5: 'cancer' } } };
  const [[patch, mask]] = (await sampleOf(await compilePatches(['a.png,,a-mask.png,a'], labels), 1)) as [GridImage[]];
  expect([patch!.caption, brightest(patch!), mask!.caption]).toEqual(['cancer', 'green', 'its mask']);
  expect(Buffer.from(mask!.pixels.subarray(0, 3)).toString('hex')).toBe(maskColor(1).slice(1).toLowerCase());
});

it('pixels that do not count are gray in masks, which is said', async () => {
  await write('a.png', 3, [30, 220, 30]);
  await write('a-mask.png', 1, [9]);
  const labels = { from: 'mask', classes, values: { '*': { 3: 'benign', 5: 'cancer', 9: null } } };
  const compiled = await compilePatches(['a.png,,a-mask.png,a'], labels);
  const [[, mask]] = (await sampleOf(compiled, 1)) as [GridImage[]];
  expect(Buffer.from(mask!.pixels.subarray(0, 3)).toString('hex')).toBe(ignoredColor.slice(1));
  expect(maskLegend(compiled)).toEqual([{ color: ignoredColor, words: 'ignored: the mask value 9' }]);
});

it('masks of more classes than the paper has differ in color, too', async () => {
  const many = Array.from({ length: 12 }, (_, label) => ({ name: `class-${String(label).padStart(2, '0')}`, label }));
  const rows = await Promise.all(
    many.map(async ({ label }) => {
      await write(`${label}.png`, 3, [30, 20 * label, 30]);
      await write(`${label}-mask.png`, 1, [label]);
      return `${label}.png,,${label}-mask.png,a`;
    }),
  );
  const values = Object.fromEntries(many.map(({ name, label }) => [label, name]));
  const compiled = await compilePatches(rows, { from: 'mask', classes: many, values: { '*': values } });
  const shown = (await sampleOf(compiled, 12)).map(([, mask]) =>
    Buffer.from(mask!.pixels.subarray(0, 3)).toString('hex'),
  );
  expect(new Set(shown).size).toBe(12);
});

it('patches of slides are sampled by what each shows, and marked where they are synthetic', async () => {
  const dataset = await smallDataset(2);
  const compiled = await compileDataset(dataset, { data: folder });
  const names = Object.keys(compiled.report.counts.byClass).sort();
  const shown = (await sampleOf(compiled, 2 * names.length)).flat();
  expect(names.length).toBeGreaterThan(1);
  expect(shown.map(({ caption }) => caption)).toEqual(names.flatMap((name) => [name, name]));
  expect(new Set(shown.map(({ mark, width }) => `${mark} ${width}`))).toEqual(new Set(['SYNTHETIC 64']));
});

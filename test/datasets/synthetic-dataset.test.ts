import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { key, sha256 } from '../../src/base/index.js';
import { planCohort } from '../../src/datasets/cohort/plan.js';
import { planners } from '../../src/datasets/cohort/planners.js';
import { syntheticDatasetSettings } from '../../src/datasets/cohort/settings.js';
import {
  resolveDataset,
  type SyntheticDataset,
  type SyntheticDatasetOptions,
  syntheticDataset,
  tissueOfOrgan,
} from '../../src/datasets/index.js';
import { compileExperiment } from '../../src/experiments/index.js';
import { openSlide, rasterizePolygon, renderSection, type SyntheticSection } from '../../src/slides/index.js';
import { tissueKinds } from '../../src/slides/synthetic/index.js';
import { facts, rowsOf } from './facts.js';

const folder = mkdtempSync(join(tmpdir(), 'pathlab-dataset-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const digests = (place: string) =>
  Object.fromEntries(
    readdirSync(place, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => [
        join(parentPath, name).slice(place.length),
        sha256(readFileSync(join(parentPath, name))),
      ])
      .sort(),
  );
const sectionOf = (dataset: SyntheticDataset, id: string) =>
  (JSON.parse(readFileSync(join(dataset.folder, 'records', `${id}.json`), 'utf8')) as { section: SyntheticSection })
    .section;

describe('a synthetic dataset in the form of PTCGA200', () => {
  const options: SyntheticDatasetOptions = {
    kind: 'ptcga200',
    patients: 3,
    slidesPerPatient: 2,
    classes: 2,
    columns: 1,
    rows: 1,
    leaks: { exact: 1, near: 1, rescanned: 1 },
  };
  const place = join(folder, 'ptcga200');
  let dataset: SyntheticDataset;
  beforeAll(async () => {
    dataset = await syntheticDataset(options, key(1), { folder: place });
  }, 120_000);

  it('has the patients, sites and classes that were asked for, with and without a second slide', () => {
    const own = dataset.slides.filter(({ id }) => !id.includes('double'));
    expect(own).toHaveLength(9);
    expect(new Set(own.map(({ patient }) => patient)).size).toBe(6);
    expect(new Set(own.map(({ class: name }) => name))).toEqual(new Set(['adrenal_gland', 'bile_liver']));
    for (const { id, patient, site, synthetic } of own) {
      expect(patient).toBe(id.replace(/-DX\d$/, ''));
      expect(site).toBe(id.split('-')[1]);
      expect(synthetic).toBe(true);
    }
    const sites = (name: string) => new Set(own.filter((slide) => slide.class === name).map(({ site }) => site));
    expect(sites('adrenal_gland').size).toBe(2);
  });

  it('is a definition that resolves to its own slides', async () => {
    const resolved = await resolveDataset(dataset.definitionPath, { out: join(folder, 'out') });
    expect(resolved.definition.synthetic).toBe(true);
    expect(resolved.definition.title).toMatch(/^SYNTHETIC/);
    expect(resolved.lock.synthetic).toBe(true);
    // A file that occurs twice is taken once.
    const twice = dataset.leaks.find(({ kind }) => kind === 'exact')!.slides;
    const wanted = dataset.slides
      .map(({ id, patient, site, class: name }) => ({ id, patient, site, class: name }))
      .filter(({ id }) => id !== twice[1]);
    expect(twice).toContain(resolved.lock.excluded[0]!.id);
    const found = resolved.slides.map(({ id, patient, site, class: name }) => ({ id, patient, site, class: name }));
    expect(found.sort(byId)).toEqual(wanted.sort(byId));
  });

  it("says of each slide that it is synthetic, at its scanner's magnification", async () => {
    const { id, path } = dataset.slides[0]!;
    const slide = await openSlide(path);
    expect(slide.synthetic).toBe(true);
    expect(slide.mpp).toBeCloseTo(sectionOf(dataset, id).scanner.umPerPixel, 6);
    await slide.close();
  });

  it('plants what it says: the same file, the same scanner, another site', () => {
    const byKind = Object.fromEntries(dataset.leaks.map(({ kind, slides, patients }) => [kind, { slides, patients }]));
    expect(Object.keys(byKind).sort()).toEqual(['exact', 'near', 'rescanned']);
    const slide = (id: string) => dataset.slides.find((each) => each.id === id)!;
    for (const [kind, { slides, patients }] of Object.entries(byKind)) {
      const [original, duplicate] = slides.map(slide);
      expect([original!.patient, duplicate!.patient]).toEqual(patients);
      expect(patients[0]).not.toBe(patients[1]);
      expect(original!.sha256 === duplicate!.sha256).toBe(kind === 'exact');
      expect(original!.site === duplicate!.site).toBe(kind !== 'rescanned');
      expect(sectionOf(dataset, duplicate!.id).tissue).toEqual(sectionOf(dataset, original!.id).tissue);
    }
  });

  it('is the same again, keeps what is whole, and draws again what is damaged', async () => {
    const first = digests(place);
    const [kept, damaged] = [dataset.slides[0]!.path, dataset.slides[1]!.path];
    const writtenAt = statSync(kept).mtimeMs;
    writeFileSync(damaged, 'not a slide');
    rmSync(join(place, 'records', `${dataset.slides[2]!.id}.json`));
    await syntheticDataset(options, key(1), { folder: place, threads: 1 });
    expect(digests(place)).toEqual(first);
    expect(statSync(kept).mtimeMs).toBe(writtenAt);
  }, 120_000);

  it('does not mix seeds in a folder, and refuses options that make no dataset', async () => {
    await expect(syntheticDataset(options, key(2), { folder: place })).rejects.toThrow(/another seed/);
    const refused = (wrong: object) => syntheticDataset({ ...options, ...wrong }, key(1), { folder: place });
    await expect(refused({ patients: 0 })).rejects.toThrow(/patients must be an integer from 1 to 99; got 0/);
    await expect(refused({ sites: 21 })).rejects.toThrow(/sites must be an integer from 1 to 20; got 21/);
    await expect(refused({ kind: 'pcam200' })).rejects.toThrow(/classes can be chosen for ptcga200 only/);
    await expect(refused({ leaks: { exact: 50 } })).rejects.toThrow(/only 9 slides to duplicate/);
    await expect(refused({ sites: 1 })).rejects.toThrow(/at least two sites/);
  });
});

describe('sites and classes', () => {
  /** Of two patients of one site, and of two sites, how often is the class the same? */
  function association(patients: readonly { site: string; class: string }[]) {
    const times = (values: readonly string[]) => {
      const counts = new Map<string, number>();
      for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
      return counts;
    };
    const both = times(patients.map(({ site, class: name }) => `${site}/${name}`));
    const [sites, names] = [times(patients.map(({ site }) => site)), times(patients.map((each) => each.class))];
    let [same, other] = [0, 0];
    for (const { site, class: name } of patients) {
      const [here, itsSite] = [both.get(`${site}/${name}`)!, sites.get(site)!];
      if (itsSite > 1) same += (here - 1) / (itsSite - 1);
      other += (names.get(name)! - here) / (patients.length - itsSite);
    }
    return { same: same / patients.length, other: other / patients.length };
  }
  const classes = Object.keys(tissueOfOrgan);

  it.skipIf(!facts)('go together in the demo as hospitals and studies in TCGA do (shared data)', async () => {
    const codes = new Map(rowsOf('tcga_tss_codes.csv', ';').map((row) => [row['TSS Code']!, row]));
    const slides = rowsOf('gdc-diagnostic-slides.tsv', '\t').map(({ filename }) => filename!.slice(0, 12));
    const real = (column?: string) =>
      association(
        [...new Set(slides)].flatMap((patient) => {
          const code = patient.slice(5, 7);
          const row = codes.get(code);
          return row ? [{ site: column ? row[column]!.trim().toLowerCase() : code, class: row['Study Name']! }] : [];
        }),
      );
    const { synthetic } = await compileExperiment('ptcga200', { scale: 'demo', seed: 1 });
    const { slides: planned } = planCohort(
      planners.ptcga200,
      { ...syntheticDatasetSettings(synthetic!, classes), leaks: { exact: 0, near: 0, rescanned: 0 } },
      key(1),
    );
    const patients = new Map(planned.map(({ patient, site, class: name }) => [patient, { site, class: name! }]));
    const drawn = association([...patients.values()]);
    const hospitals = real('Source Site');
    expect(hospitals.same).toBeCloseTo(0.355, 2);
    expect(real().same).toBeCloseTo(0.985, 2);
    expect(drawn.same).toBeCloseTo(1 / 3, 6);
    expect([hospitals.other, drawn.other]).toEqual([expect.closeTo(0.043, 2), expect.closeTo(0.023, 2)]);
  });
});

describe('masks and polygons', () => {
  it('a mask holds what was drawn, at each pixel and each level, red', async () => {
    const dataset = await syntheticDataset({ kind: 'segpanda200', patients: 6, columns: 3, rows: 1 }, key(3), {
      folder: join(folder, 'panda'),
    });
    const last = dataset.slides.at(-1)!;
    const { mask, width, height } = await renderSection(sectionOf(dataset, last.id));
    const slide = await openSlide(last.mask!);
    const read = await slide.readRegion({ x: 0, y: 0, level: 0, width, height });
    const coarse = await slide.readRegion({ x: 0, y: 0, level: 1, ...slide.levels[1]! });
    await slide.close();
    expect(read.pixels.every((value, at) => value === (at % 3 === 0 ? mask[at / 3] : 0))).toBe(true);
    // Grade group 5: benign, patterns 4 and 5, and no 3.
    expect(new Set(mask)).toEqual(new Set([0, 1, 2, 4, 5]));
    expect([...new Set(coarse.pixels)].every((value) => mask.includes(value))).toBe(true);
  }, 120_000);

  it('polygons enclose the tumors, and a hole in one', async () => {
    const dataset = await syntheticDataset({ kind: 'pcam200', patients: 1 }, key(3), { folder: join(folder, 'pcam') });
    const [normal, tumor] = dataset.slides;
    expect(normal!.annotation).toBeNull();
    const xml = readFileSync(tumor!.annotation!, 'utf8');
    expect(xml.match(/PartOfGroup="_0"/g)).toHaveLength(2);
    expect(xml.match(/PartOfGroup="_2"/g)).toHaveLength(1);
    const { features } = JSON.parse(readFileSync(tumor!.annotation!.replace('.xml', '.geojson'), 'utf8'));
    expect(features).toHaveLength(3);

    // Values of their own for tumor and the rest: the polygons must tell them apart but for pixels on the edge.
    const section = sectionOf(dataset, tumor!.id);
    const valued = (value: number) => ({ stroma: value, epithelium: value });
    const tissue = {
      ...section.tissue,
      mask: valued(1),
      lesions: section.tissue.lesions.map((lesion) => ({ ...lesion, mask: valued(2) })),
    };
    const { mask, width, height, annotations } = await renderSection({ ...section, tissue });
    const inside = new Uint8Array(width * height);
    for (const { group, points } of annotations) {
      const polygon = { name: group, rings: [Float64Array.from(points.flat())] };
      rasterizePolygon(polygon, { x: 0, y: 0, width, height, pixelSize: 1 }, group === '_2' ? 0 : 1, inside);
    }
    const tissueCells = mask.filter((value) => value > 0).length;
    const wrong = mask.filter((value, at) => value > 0 && (value === 2) !== (inside[at] === 1)).length;
    expect(mask.filter((value) => value === 2).length / tissueCells).toBeGreaterThan(0.2);
    expect(wrong / tissueCells).toBeLessThan(0.005);
  }, 120_000);

  it('every class of PTCGA200 has a tissue kind of its own', () => {
    expect(new Set(Object.values(tissueOfOrgan)).size).toBe(20);
    expect(Object.values(tissueOfOrgan).every((name) => tissueKinds.some((kind) => kind.name === name))).toBe(true);
  });
});

function byId(one: { id: string }, other: { id: string }): number {
  return one.id < other.id ? -1 : 1;
}

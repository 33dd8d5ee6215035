import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  type CompiledDataset,
  type LabelRule,
  readDefinition,
  resolveDataset,
  slidesOnDisk,
} from '../../src/datasets/index.js';
import { compileExperiment, compileFacts, type ExperimentDataset } from '../../src/experiments/index.js';
import {
  auditSplits,
  compileWithProgress,
  prepareDataset,
  showCounts,
  showDefinition,
  showPatches,
  showSiteLeakage,
  showSlideCut,
  showSlideList,
  showSplitAudit,
} from '../../src/report/index.js';
import { openRun, type Run } from '../../src/runs/index.js';

const smoke = { scale: 'smoke', seed: 1 } as const;
let folder: string;
let run: Run;
let dataset: ExperimentDataset;
let compiled: CompiledDataset;
let said: string[] = [];
const services = Symbol.for('pathlab.kernel');
const inKernel = {
  display: ({ data }: { data: Record<string, unknown> }) => said.push(String(data['text/plain'])),
  interruptSignal: () => new AbortController().signal,
  executedCells: () => [],
};

beforeAll(() => {
  (globalThis as Record<symbol, unknown>)[services] = inKernel;
});
afterAll(() => {
  delete (globalThis as Record<symbol, unknown>)[services];
});
beforeEach(() => {
  said = [];
});

/** What is in the page so far, the last state of progress only once. */
const page = () => said.join('\n');

/** Prepares and compiles the dataset of a page. */
function compileBeforeAll(prepare: () => Promise<ExperimentDataset>): void {
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'pathlab-page-'));
    dataset = await prepare();
    run = await openRun({ notebook: '01-compile-ptcga200', parameters: { scale: 'smoke' }, out: join(folder, 'run') });
    compiled = await compileWithProgress(run, dataset, { seed: 1 });
  }, 240_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
}

describe('a definition with masks', () => {
  compileBeforeAll(async () => prepareDataset(await compileExperiment('segpanda200', smoke)));

  it('says where labels come from, what was drawn and what was planted', async () => {
    await showDefinition(await compileExperiment('segpanda200', smoke));
    await showSlideList(dataset);
    expect(page()).toMatch(/labels +a mask of 6 classes for each patch .* covers most of it *\n/);
    expect(page()).toMatch(/drawn +Biopsies of two cores/);
    expect(page()).toMatch(/planted +duplicates of slides under other patients: 1;/);
    const experiment = await compileExperiment('segpanda200', smoke);
    const labels = { ...experiment.definition.labels, values: { radboud: { 0: 'background', 6: null } } } as LabelRule;
    await showDefinition({ ...experiment, definition: { ...experiment.definition, labels } });
    expect(page()).toMatch(/covers most of it; pixels of the value 6 are ignored *\n/);
  });

  it('shows masks over the slide and beside the patches, and no polygons', async () => {
    await showSlideCut(dataset, { seed: 1, save: run.figure('slide.png') });
    await showPatches(compiled);
    expect(page()).toMatch(/synthetic_biopsy.* \(synthetic\) with the outline of its tissue, .* um, .*its mask\n/);
    expect(page()).toContain('The tint is the mask');
    expect(page()).toMatch(/\d patches of synthetic-segpanda200 from its shards, each with its mask/);
    expect(page()).not.toMatch(/polygon/);
  });

  it('tells events and progress, and what an earlier call compiled', async () => {
    const kinds = () =>
      readFileSync(join(run.folder, 'events.jsonl'), 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).kind);
    const before = kinds().length;
    await compileWithProgress(run, dataset, { seed: 1 });
    const { length } = dataset.slides;
    expect(kinds().slice(before)).toEqual([...Array(length).fill('slide'), 'compiled']);
    expect(page()).toMatch(new RegExp(`slides: ${length} of ${length}, .*, ${length} already present$`));
  });

  it('shows what splits leak, the planted leaks among it, and why sites cannot be held out', async () => {
    const audit = await auditSplits(dataset, compiled);
    await showSplitAudit(run, audit);
    expect(audit.patches.total).toBe(compiled.report.counts.patches);
    expect(page()).toMatch(/is split by slide: validation 2 %, test 1 %, .*; this page uses 20 % and 10 %\./);
    expect(page()).toContain('Planted leaks: SYNTHETIC slides under two patients');
    expect(page()).toMatch(/There is no split by site: /);
    expect(readFileSync(join(run.folder, 'split-audit.csv'), 'utf8')).toMatch(/^by,train,.*\nslide,/);
    expect(await showSiteLeakage(run, audit, { seed: 1 })).toBeNull();
    expect(page()).toContain('Site leakage was not measured');
  });

  it('keeps a fact of each slide, and of the list, the card and the definition', async () => {
    const { data, metrics, choices } = await compileFacts(dataset, compiled);
    expect(data.map(({ name }: { name?: string }) => name)).toEqual(dataset.slides.map(({ id }) => id));
    expect(metrics.map(({ name, about }) => `${name}: ${about}`)).toEqual([
      expect.stringMatching(/^patches: SYNTHETIC slides, \d slides$/),
      expect.stringMatching(/^patients: SYNTHETIC/),
    ]);
    expect(Object.keys(choices!)).toHaveLength(4);
  });
});

describe('a definition with polygons', () => {
  compileBeforeAll(async () => prepareDataset(await compileExperiment('pcam200', smoke)));

  it('shows them over a slide that has some, and no mask', async () => {
    await showDefinition(await compileExperiment('pcam200', smoke));
    await showSlideCut(dataset, { seed: 1 });
    await showPatches(compiled);
    expect(page()).toMatch(/labels +polygons \(tumor in _0, .*, normal in Exclusion; normal elsewhere\)/);
    expect(page()).toMatch(/patches of 200 um, .* annotated areas\n/);
    expect(page()).toContain('Red outlines are the annotated polygons');
    expect(page()).toMatch(/20 patches of synthetic-pcam200 from its shards$/);
    expect(page()).not.toMatch(/its mask|tint/);
  });

  it('shows each site', async () => {
    await showCounts(compiled.report, 'site', { save: run.figure('sites.png') });
    expect(page()).toMatch(/^Patches of each site, patches: radboudumc \d+, umc-utrecht \d+$/);
  });

  it('counts patients by their number of patches, in ranges where there are many numbers', async () => {
    const patients = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`p${n}`, n + 1]));
    const reportOf = (count: number) => {
      const { report } = compiled;
      return { ...report, counts: { ...report.counts, byPatient: { '(unknown)': 9, ...patients(count) } } };
    };
    await showCounts(reportOf(3), 'patient');
    await showCounts(reportOf(30), 'patient');
    expect(said[0]).toBe('Patches of 3 patients, patients: 1 patch 1, 2 patches 1, 3 patches 1');
    expect(said[1]).toMatch(/^Patches of 30 patients, patients: 1 to 2 patches 2, .*, 29 to 30 patches 2$/);
  });
});

describe('precut patches of which no patient and no site is known', () => {
  compileBeforeAll(async () => {
    const definition = {
      ...readDefinition('ptcga200'),
      ...{ name: 'mine', unit: 'patches', geometry: null, minimumBytes: 0, exclusions: [], notes: [] },
      source: { kind: 'folder', folder: 'files', patientPattern: null },
      labels: { from: 'slide', classes: [{ name: 'benign', label: 0 }], values: { 0: 'benign' }, unmapped: 'error' },
    };
    mkdirSync(join(folder, 'files', '0'), { recursive: true });
    for (const [place, background] of ['red', 'green', 'blue', 'teal'].entries()) {
      const patch = sharp({ create: { width: 48, height: 48, channels: 3, background } });
      await patch.jpeg().toFile(join(folder, 'files', '0', `${place}.jpg`));
    }
    writeFileSync(join(folder, 'mine.json'), JSON.stringify(definition));
    const list = await resolveDataset(join(folder, 'mine.json'), { out: join(folder, 'source') });
    const { ready: slides, missing } = slidesOnDisk(list);
    const { split } = list.definition;
    return { definition: list.definition, slides, list, missing, planted: [], split, data: join(folder, 'data') };
  });

  it('are shown with what is known of them, and called neither slides nor synthetic', async () => {
    await showDefinition(await compileExperiment('ptcga200', { ...smoke, data: join(folder, 'mine.json') }));
    await showSlideList(dataset);
    await showSlideCut(dataset, { seed: 1 });
    await showPatches(compiled);
    for (const of of ['class', 'site', 'patient'] as const) await showCounts(compiled.report, of);
    const audit = await auditSplits(dataset, compiled);
    await showSplitAudit(run, audit);
    await showSiteLeakage(run, audit, { seed: 1 });
    for (const words of [
      'The patches of this dataset are precut',
      '4 patches of mine from its shards',
      'Patches of each class, patches: benign 4',
      'The site is not known for any patch.',
      'The patient is not known for any patch.',
      'The audit splits by patch, by patient',
      'There is no split by patient: ',
      'There is no split by site: ',
    ]) {
      expect(page()).toContain(words);
    }
    expect(page()).not.toMatch(/synthetic|planted|polygon|tint/i);
  });

  it('are kept as one list, without a number of patients', async () => {
    const { data, metrics } = await compileFacts(dataset, compiled);
    expect(data).toEqual([expect.objectContaining({ name: 'mine', sha256: dataset.list.lock.listSha256 })]);
    expect(metrics).toEqual([{ name: 'patches', value: 4, about: 'mine, precut patches' }]);
  });
});

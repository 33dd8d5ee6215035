import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { key } from '../../src/base/index.js';
import {
  type AuditedImages,
  auditRules,
  type CompiledDataset,
  compileDataset,
  type FoldAudit,
  type GroupBy,
  imagesOfShards,
  plantedFindings,
  type SplitRule,
  type SyntheticDataset,
  syntheticDataset,
} from '../../src/datasets/index.js';
import { temporaryFolder } from './small-dataset.js';

const folder = temporaryFolder();
const shares: SplitRule = { by: 'slide', validation: 0.2, test: 0.1, folds: 3, stratified: false };
let dataset: SyntheticDataset;
let compiled: CompiledDataset;
let audited: AuditedImages;

beforeAll(async () => {
  dataset = await syntheticDataset(
    {
      kind: 'ptcga200',
      patients: 3,
      slidesPerPatient: 2,
      classes: 3,
      columns: 2,
      rows: 1,
      leaks: { exact: 1, near: 1, rescanned: 1 },
    },
    key(1),
    { folder: join(folder, 'cohort') },
  );
  // The drawn slides themselves, and not the list that they resolve to: that leaves out the file that occurs twice.
  compiled = await compileDataset(
    { definition: dataset.definition, slides: dataset.slides },
    { data: join(folder, 'data'), geometry: { micrometers: 200, pixels: 256 } },
  );
  audited = await imagesOfShards(compiled.folder);
}, 180_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const foldsOf = (by: GroupBy, seed: number) =>
  auditRules(audited, shares, { by: [by], key: key(seed) }).folds as FoldAudit[];
const leaksOf = ({ audit }: FoldAudit, kind: string) => audit.leaks.filter((leak) => leak.kind === kind);
/** Slides of pairs across splits that look alike. */
const alike = ({ audit }: FoldAudit) =>
  new Set(audit.nearDuplicates.map(({ ids }) => ids.map((id) => id.split('/')[0]!).join(' ')));
const seeds = [1, 2, 3, 4, 5, 6];

describe('the audit of a synthetic cohort with planted leaks', () => {
  it('finds each of them wherever a split by slide puts it across splits, and nothing else that looks alike', () => {
    const planted = new Map(dataset.leaks.map(({ kind, slides }) => [kind, slides.join(' ')]));
    expect([...planted.keys()].sort()).toEqual(['exact', 'near', 'rescanned']);
    const found = new Set<string>();
    for (const fold of seeds.flatMap((seed) => foldsOf('slide', seed))) {
      const pairs = alike(fold);
      expect([...planted.values()]).toEqual(expect.arrayContaining([...pairs]));
      for (const pair of pairs) found.add(pair);
      // The same file gives the same bytes.
      expect(leaksOf(fold, 'exact duplicate').length > 0).toBe(pairs.has(planted.get('exact')!));
      expect(leaksOf(fold, 'slide')).toEqual([]);
    }
    expect([...found].sort()).toEqual([...planted.values()].sort());
  });

  it("finds the patients that a split by slide puts across splits, by the patients' own slides", () => {
    const twoSlides = new Set(
      compiled.report.slides
        .filter(({ patient }) => compiled.report.slides.filter((other) => other.patient === patient).length > 1)
        .map(({ patient }) => patient),
    );
    const found = seeds.flatMap((seed) => foldsOf('slide', seed)).flatMap((fold) => leaksOf(fold, 'patient'));
    expect(new Set(found.map(({ value }) => value))).toEqual(twoSlides);
  });

  it('finds none in the patient split that keeps duplicates together', () => {
    for (const fold of seeds.flatMap((seed) => foldsOf('patient and duplicates', seed))) {
      expect([leaksOf(fold, 'patient'), leaksOf(fold, 'exact duplicate'), fold.audit.nearDuplicates]).toEqual([
        [],
        [],
        [],
      ]);
    }
  });

  it('finds what patients alone do not keep apart: duplicates that are filed under other patients', () => {
    const folds = seeds.flatMap((seed) => foldsOf('patient', seed));
    expect(folds.flatMap((fold) => leaksOf(fold, 'patient'))).toEqual([]);
    expect(folds.some((fold) => alike(fold).size > 0)).toBe(true);
  });

  it('tells of each planted leak how near its patches are, and in how many folds it is across splits', () => {
    const found = plantedFindings(dataset.leaks, audited, auditRules(audited, shares));
    expect(found.map(({ kind }) => kind)).toEqual(['exact', 'near', 'rescanned']);
    for (const { kind, nearest, alike, folds } of found) {
      expect(folds['patient and duplicates']).toBe(0);
      if (kind === 'exact') expect([nearest, alike]).toEqual([0, 2]);
      if (kind === 'near') expect(alike).toBe(2);
      expect(nearest).toBeLessThanOrEqual(kind === 'rescanned' ? 60 : 24);
    }
    const missing = { ...dataset.leaks[0]!, slides: ['elsewhere', 'nowhere'] as const };
    expect(plantedFindings([missing], audited, auditRules(audited, shares))[0]).toMatchObject({
      nearest: null,
      alike: 0,
    });
  });

  it('takes fewer folds where there are too few sites, and says so where there is none', () => {
    const { folds } = auditRules(audited, shares, { by: ['site'] });
    expect(folds.length).toBeGreaterThan(0);
    expect(folds.every((fold) => fold.folds === folds.length && fold.folds < 3)).toBe(true);
    expect(folds.flatMap((fold) => leaksOf(fold, 'site'))).toEqual([]);
    const oneSite = {
      ...audited,
      images: audited.images.map((image) => ({ ...image, site: 'one' })),
    };
    const none = auditRules(oneSite, shares, { by: ['site'] });
    expect(none.folds).toEqual([]);
    expect(none.impossible).toEqual([
      { by: 'site', reason: expect.stringMatching(/needs at least 3; there are 1\. Use a split by slide$/) },
    ]);
  });

  it('compares as many patches of each slide where there are more than it may', async () => {
    const some = await imagesOfShards(compiled.folder, { maxImages: compiled.report.slides.length });
    expect(some.total).toBe(compiled.report.counts.patches);
    expect(some.images.map(({ slide }) => slide)).toEqual(compiled.report.slides.map(({ slide }) => slide));
    expect(some.unread.length).toBe(some.total - some.images.length);
    // All are divided, and what the index tells is found in all.
    const known = (of: AuditedImages) =>
      auditRules(of, shares, { by: ['slide', 'patient', 'site'] }).folds.map(({ audit: { counts, leaks } }) => [
        counts,
        leaks.filter(({ kind }) => kind !== 'exact duplicate').map(({ value, splits }) => [value, splits]),
      ]);
    expect(some.unread.length).toBeGreaterThan(0);
    expect(known(some)).toEqual(known(audited));
    const last = some.images.length - 1;
    expect((await some.read(last)).length).toBeGreaterThan(1000);
  });
});

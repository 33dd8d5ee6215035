import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { table } from 'arquero';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { startGdc } from '../../bench/data-servers.mjs';
import { key, projectRoot } from '../../src/base/index.js';
import {
  auditSplit,
  auditText,
  foldTable,
  groupsOf,
  hashDistance,
  leakTable,
  nearDuplicateImages,
  nearPairs,
  perceptualHash,
  resolveDataset,
  ruleLeaks,
  type SplitItem,
  type SplitRule,
  splitNames,
  splitSlides,
} from '../../src/datasets/index.js';
import { pairsAmong } from '../../src/datasets/perceptual-hash.js';
import { drawImageGrid } from '../../src/report/index.js';
import { facts, gdcHits, rowsOf } from './facts.js';

/** 600 slides of 200 patients at ten sites, in three classes of which one is rare. */
const slides: SplitItem[] = Array.from({ length: 600 }, (_, n) => ({
  id: `s${n}`,
  patient: `p${n % 200}`,
  site: `site${(n % 200) % 10}`,
  class: n % 200 < 10 ? 'rare' : n % 2 === 0 ? 'even' : 'odd',
}));
const paper: SplitRule = { by: 'slide', validation: 0.02, test: 0.01, folds: 3, stratified: false };

describe('splitSlides', () => {
  it('follows the paper: 2 % and 1 % of the slides, three disjoint draws', () => {
    const { folds, excluded } = splitSlides(slides, paper, key(1));
    expect(excluded).toEqual([]);
    expect(folds.map((fold) => [fold.train.length, fold.validation.length, fold.test.length])).toEqual(
      Array(3).fill([582, 12, 6]),
    );
    const heldOut = folds.flatMap(({ validation, test }) => [...validation, ...test]);
    expect(new Set(heldOut).size).toBe(54);
    for (const fold of folds) {
      expect([...fold.train, ...fold.validation, ...fold.test].sort()).toEqual(slides.map(({ id }) => id).sort());
    }
  });

  it('depends on slides and key, not on their order', () => {
    const one = splitSlides(slides, paper, key(1));
    expect(
      splitSlides(
        key(9)
          .generator()
          .shuffle([...slides]),
        paper,
        key(1),
      ),
    ).toEqual(one);
    expect(splitSlides(slides, paper, key(2)).folds).not.toEqual(one.folds);
    expect(splitSlides(slides, paper, key(2)).sha256).not.toBe(one.sha256);
  });

  it.each(['patient', 'site'] as const)('keeps each %s in one split', (by) => {
    const rule = by === 'site' ? { ...paper, validation: 0.1, test: 0.1 } : paper;
    const { folds } = splitSlides(slides, { ...rule, by }, key(3));
    for (const fold of folds) {
      const splits = splitNames(fold);
      const seen = new Map<string, string>();
      for (const slide of slides) {
        const split = splits.get(slide.id)!;
        expect(seen.get(slide[by]!) ?? split).toBe(split);
        seen.set(slide[by]!, split);
      }
    }
  });

  it('stratified, has every class in every split, and all in like proportion', () => {
    const { folds } = splitSlides(slides, { ...paper, validation: 0.1, test: 0.1, stratified: true }, key(4));
    const classes = new Map(slides.map((slide) => [slide.id, slide.class]));
    for (const fold of folds) {
      for (const split of ['validation', 'test'] as const) {
        const counts = Object.fromEntries(['rare', 'even', 'odd'].map((name) => [name, 0]));
        for (const id of fold[split]) counts[classes.get(id)!]!++;
        expect(counts).toEqual({ rare: 3, even: 29, odd: 29 });
      }
    }
  });

  it('names the slides of which the patient is not known, and leaves them out', () => {
    const some = slides.map((slide) => (slide.id === 's7' ? { ...slide, patient: null } : slide));
    const split = splitSlides(some, { ...paper, by: 'patient' }, key(1));
    expect(split.excluded).toEqual(['s7']);
    expect(split.folds.every((fold) => !splitNames(fold).has('s7'))).toBe(true);
  });

  it('says when there are too few', () => {
    expect(() => splitSlides(slides.slice(0, 6), paper, key(1))).toThrow(
      /3 folds with different held-out slides need at least 7; th/,
    );
    expect(() => splitSlides(slides.slice(0, 3), { ...paper, folds: 1, validation: 0.5, test: 0.4 }, key(1))).toThrow(
      /needs at least 3; there are 3, too few for validation 0\.5 and test 0\.4 of the slides\. Use smaller fractions$/,
    );
    expect(() => splitSlides(slides, { ...paper, folds: 40 }, key(1))).toThrow(/cannot each hold out a different 3 %/);
    const one = slides.map((slide) => ({ ...slide, class: slide.id === 's1' ? 'single' : 'all' }));
    expect(() => splitSlides(one, { ...paper, stratified: true }, key(1))).toThrow(
      /of the class "single" need at least 7; there are 1/,
    );
  });
});

describe('auditSplit', () => {
  const rows = table({
    id: ['a', 'b', 'c', 'd'],
    split: ['train', 'train', 'test', 'test'],
    patient: ['p1', 'p2', 'p1', 'p3'],
    site: ['x', 'x', 'y', 'y'],
    sha256: ['1', '2', '3', '2'],
  });

  it('finds the patient and the exact duplicate that were planted', () => {
    const audit = auditSplit(rows, { apart: ['patient', 'site'] });
    expect(audit.clean).toBe(false);
    expect(audit.leaks).toEqual([
      { kind: 'patient', value: 'p1', splits: { test: 1, train: 1 }, examples: ['a', 'c'] },
      { kind: 'exact duplicate', value: '2', splits: { test: 1, train: 1 }, examples: ['b', 'd'] },
    ]);
    expect(auditText(audit)).toBe(
      'NOT CLEAN: 1 patient across splits, 0 sites across splits, 1 exact duplicate across splits. Split: train 2, test 2.',
    );
    expect(leakTable(audit).array('value')).toEqual(['p1', '2']);
  });

  it('finds nothing in a split by patient, and much in the paper’s', () => {
    for (const [by, clean] of [
      ['patient', true],
      ['slide', false],
    ] as const) {
      const { folds } = splitSlides(slides, { ...paper, by }, key(5));
      for (const fold of folds) expect(auditSplit(foldTable(slides, fold), { apart: ['patient'] }).clean).toBe(clean);
    }
  });

  it('proves nothing of rows with an unknown group', () => {
    const audit = auditSplit(table({ id: ['a', 'b'], split: ['train', 'test'], patient: ['p', null] }), {
      apart: ['patient'],
    });
    expect([audit.clean, audit.unknown]).toEqual([false, { patient: 1 }]);
    expect(auditText(audit)).toMatch(
      /0 patients across splits \(1 rows unknown\), 0 exact duplicates across splits \(not checked\)/,
    );
    expect(() => auditSplit(table({ id: ['a'], split: ['train'] }), { apart: ['site'] })).toThrow(/no column "site"/);
  });

  it('tells what each rule leaks', () => {
    const leaks = (by: string) =>
      ruleLeaks(slides, { ...paper, by: by as 'slide' }).map((leak) => leak.patientsAcrossSplits);
    expect(leaks('slide').every((count) => count >= 15)).toBe(true);
    expect(leaks('patient')).toEqual([0, 0, 0]);
    const [first] = ruleLeaks(slides, paper);
    expect(first!.heldOutWithPatientInTraining).toBeGreaterThan(0.9);
  });
});

/** Smooth blobs of colour, `n` different ones. */
async function testImage(n: number, change: (image: sharp.Sharp) => sharp.Sharp = (image) => image): Promise<Buffer> {
  const generator = key('picture').fold(n).generator();
  const data = Uint8Array.from({ length: 8 * 8 * 3 }, () => generator.integer(256));
  const image = sharp(data, { raw: { width: 8, height: 8, channels: 3 } }).resize(160, 160, { kernel: 'cubic' });
  return change(sharp(await image.png().toBuffer()))
    .png()
    .toBuffer();
}

const hashesOf = (images: readonly (string | Buffer)[]) => Promise.all(images.map(perceptualHash));

describe('near-duplicates', () => {
  it('are images that were recompressed, scaled or tinted, and not others', async () => {
    const [original, other] = await Promise.all(
      [testImage(1), testImage(2)].map(async (made) => perceptualHash(await made)),
    );
    const changed = await Promise.all([
      testImage(1, (image) => image.resize(97, 97)),
      testImage(1, (image) => image.linear(0.95, 5)),
      sharp(await testImage(1))
        .jpeg({ quality: 60 })
        .toBuffer(),
    ]);
    for (const each of changed) expect(hashDistance(original!, await perceptualHash(each))).toBeLessThanOrEqual(24);
    expect(hashDistance(original!, other!)).toBeGreaterThan(60);
  });

  it('are all found, as comparing every pair finds them', () => {
    const generator = key('hashes').generator();
    const hashes = Array.from({ length: 120 }, () => Uint32Array.from({ length: 8 }, () => generator.integer(2 ** 32)));
    for (let n = 0; n < 60; n++) {
      const near = Uint32Array.from(hashes[n]!);
      for (let flip = 0; flip < n % 14; flip++) near[generator.integer(8)]! ^= 1 << generator.integer(32);
      hashes.push(near);
    }
    const expected: string[] = [];
    for (let one = 0; one < hashes.length; one++) {
      for (let other = one + 1; other < hashes.length; other++) {
        if (hashDistance(hashes[one]!, hashes[other]!) <= 10) expected.push(`${one} ${other}`);
      }
    }
    expect(expected.length).toBeGreaterThan(40);
    expect(
      nearPairs(hashes, 10)
        .map(({ one, other }) => `${one} ${other}`)
        .sort(),
    ).toEqual(expected.sort());
  });

  it('of equal hashes are each paired with the first: no square of blank images, and the same groups and splits', () => {
    const blank = new Uint32Array(8);
    const many = nearPairs(new Array<Uint32Array>(20_000).fill(blank), 24);
    expect(many.length).toBe(19_999);
    expect(new Set(groupsOf(20_000, many))).toEqual(new Set([0]));

    const generator = key('repeated').generator();
    const flipped = (hash: Uint32Array, bits: number) => {
      const near = Uint32Array.from(hash);
      for (let flip = 0; flip < bits; flip++) near[generator.integer(8)]! ^= 1 << generator.integer(32);
      return near;
    };
    for (let trial = 0; trial < 40; trial++) {
      const kinds = Array.from({ length: 3 }, () => Uint32Array.from({ length: 8 }, () => generator.integer(2 ** 32)));
      const all = [...kinds, ...kinds.map((hash) => flipped(hash, 4)), ...kinds.map((hash) => flipped(hash, 7))];
      const hashes = Array.from({ length: 12 }, () => generator.pick(all));
      const split = hashes.map(() => generator.integer(3));
      const every = hashes.flatMap((hash, one) =>
        hashes.flatMap((each, other) => (other > one && hashDistance(hash, each) <= 6 ? [{ one, other }] : [])),
      );
      const pairs = nearPairs(hashes, 6);
      const some = [...hashes.keys()].filter((row) => row % 3 !== trial % 3);
      const placeOf = (row: number) => (some.includes(row) ? some.indexOf(row) : undefined);
      expect(pairsAmong(pairs, placeOf)).toEqual(
        nearPairs(
          some.map((row) => hashes[row]!),
          6,
        ),
      );
      const crosses = ({ one, other }: { one: number; other: number }) => split[one] !== split[other];
      expect(groupsOf(12, pairs)).toEqual(groupsOf(12, every));
      expect(pairs.some(crosses)).toBe(every.some(crosses));
      expect(every).toEqual(expect.arrayContaining(pairs.map(({ one, other }) => ({ one, other }))));
    }
  });

  it('across splits are listed, with images for a grid', async () => {
    const images = [
      await testImage(1),
      await testImage(2),
      await testImage(1, (image) => image.resize(120, 120)),
      await testImage(3),
    ];
    const rows = table({ id: ['a', 'b', 'c', 'd'], split: ['train', 'train', 'test', 'test'] });
    const audit = auditSplit(rows, { apart: [], hashes: await hashesOf(images) });
    expect(audit.nearDuplicates.map(({ ids, splits }) => [ids, splits])).toEqual([
      [
        ['a', 'c'],
        ['train', 'test'],
      ],
    ]);
    const shown = await nearDuplicateImages(audit.nearDuplicates, (row) => images[row]!, {
      mark: () => 'SYNTHETIC',
    });
    expect(shown.map(({ width, caption, mark }) => [width, caption.split(' (')[0], mark])).toEqual([
      [160, 'train: a', 'SYNTHETIC'],
      [120, 'test: c', 'SYNTHETIC'],
    ]);
    const figure = await drawImageGrid(shown, { columns: 2, alt: 'pairs' });
    expect(figure.png.length).toBeGreaterThan(1000);
  });

  const idc = join(projectRoot, '../shared/data/patches/breast-idc');
  it.skipIf(!existsSync(idc))('are told from other real patches by their hashes (shared data)', async () => {
    const rows = readFileSync(join(idc, 'index.csv'), 'utf8').trim().split(/\r?\n/).slice(1);
    const files = Array.from({ length: 120 }, (_, n) => join(idc, rows[41 * n]!.split(',')[0]!));
    const hashes = await hashesOf(files);
    const copies = await Promise.all(
      files.flatMap((file) => [
        sharp(file).jpeg({ quality: 50 }).toBuffer(),
        sharp(file).resize(25, 25).png().toBuffer(),
        sharp(file).resize(100, 100).png().toBuffer(),
        sharp(file).linear([0.95, 1, 1.05], [5, 0, -5]).png().toBuffer(),
      ]),
    );
    const fromCopies = (await hashesOf(copies)).map((hash, n) => hashDistance(hash, hashes[Math.floor(n / 4)]!));
    expect(fromCopies.filter((bits) => bits > 24).length / copies.length).toBeLessThan(0.01);
    const others = hashes.flatMap((hash, n) => hashes.slice(n + 1).map((other) => hashDistance(hash, other)));
    expect(Math.min(...others)).toBeGreaterThanOrEqual(90);
  });

  it.skipIf(!existsSync(idc))('are found among real patches, where one was planted (shared data)', async () => {
    const rows = readFileSync(join(idc, 'index.csv'), 'utf8').trim().split(/\r?\n/).slice(1, 301);
    const files = rows.map((row) => join(idc, row.split(',')[0]!));
    const images = [...files, await sharp(files[5]!).jpeg({ quality: 80 }).toBuffer()];
    const splits = images.map((_, n) => (n < 200 ? 'train' : 'test'));
    const audit = auditSplit(table({ id: images.map((_, n) => `${n}`), split: splits }), {
      apart: [],
      hashes: await hashesOf(images),
    });
    expect(audit.nearDuplicates.map(({ ids }) => ids)).toContainEqual(['5', '300']);
    expect(audit.nearDuplicates.length).toBeLessThan(5);
  });
});

describe.skipIf(!facts)("the paper's rule on public lists (shared data)", () => {
  it('leaves patients of TCGA across splits, and a split by patient or site does not', async () => {
    const server = await startGdc(gdcHits());
    try {
      const out = '/nowhere/pathlab';
      const { lock } = await resolveDataset('ptcga200', { endpoint: server.url, out });
      const [leak] = ruleLeaks(lock.slides, paper);
      expect(leak!.patientsAcrossSplits).toBeGreaterThan(50);
      expect(leak!.heldOutWithPatientInTraining).toBeGreaterThan(0.2);
      for (const by of ['patient', 'site'] as const) {
        const clean = ruleLeaks(lock.slides, { ...paper, by });
        expect(clean.map(({ patientsAcrossSplits }) => patientsAcrossSplits)).toEqual([0, 0, 0]);
        if (by === 'site') expect(clean.map(({ sitesAcrossSplits }) => sitesAcrossSplits)).toEqual([0, 0, 0]);
        // The shares are kept as nearly as whole patients and sites allow.
        for (const { test, validation, train } of clean) {
          const all = test + validation + train;
          expect(test / all).toBeGreaterThan(0.008);
          expect(test / all).toBeLessThan(0.012);
          expect(validation / all).toBeGreaterThan(0.018);
          expect(validation / all).toBeLessThan(0.022);
        }
      }
    } finally {
      await server.close();
    }
  });

  it('divides PANDA by provider', () => {
    const panda = rowsOf('panda-cases.csv', ',').map((row) => ({
      id: row.image_id!,
      patient: null,
      site: row.data_provider!,
      class: row.isup_grade!,
    }));
    const { folds } = splitSlides(panda, { ...paper, stratified: true }, key(1));
    expect(folds[0]!.train.length + folds[0]!.validation.length + folds[0]!.test.length).toBe(10_616);
    expect(() => splitSlides(panda, { ...paper, by: 'site' }, key(1))).toThrow(
      /with different held-out sites need at least 7; there are 2/,
    );
  });
});

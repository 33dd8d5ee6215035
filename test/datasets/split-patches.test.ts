import { describe, expect, it } from 'vitest';
import { key } from '../../src/base/index.js';
import { type PatchSplit, type ShardDataset, splitPatches } from '../../src/datasets/index.js';

interface Patch {
  slide: string;
  patient?: string;
  label?: number;
  split?: string;
}

type Patches = Parameters<typeof splitPatches>[0];

function coded(names: readonly (string | undefined)[]) {
  const distinct = [...new Set(names.filter((name) => name !== undefined))];
  return {
    codes: Int32Array.from(names, (name) => (name === undefined ? -1 : distinct.indexOf(name))),
    names: distinct,
  };
}

/** Patches as an opened dataset has them: cut from slides, or ready, when each is a slide of its own. */
function setOf(patches: readonly Patch[], { classes = 3, ready = false } = {}): Patches {
  return {
    count: patches.length,
    labels: Int32Array.from(patches, ({ label }) => label ?? -1),
    classNames: Array.from({ length: classes }, (_, label) => `class-${label}`),
    slides: coded(patches.map(({ slide }) => slide)),
    patients: coded(patches.map(({ patient }) => patient)),
    splits: patches.some(({ split }) => split) ? coded(patches.map(({ split }) => split)) : null,
    image: { offset: Float64Array.from(patches, (_, row) => 1000 * row), length: new Int32Array(patches.length) },
    indexSha256: 'of the index',
    report: { ...(ready && { precut: { shards: 1, copied: 0, encoded: 0 } }) } as ShardDataset['report'],
  };
}

/** `count` patients with two slides of three patches each, of one class in turn. */
const cohort = (count: number, classes = 3): Patch[] =>
  Array.from({ length: count * 6 }, (_, n) => {
    const patient = Math.floor(n / 6);
    return { slide: `s${Math.floor(n / 3)}`, patient: `p${patient}`, label: patient % classes };
  });

const ready = (patches: readonly Patch[]) => patches.map((patch, n) => ({ ...patch, slide: `patch-${n}` }));

function valuesOn(patches: readonly Patch[], rows: Int32Array, value: (patch: Patch) => unknown): Set<unknown> {
  return new Set([...rows].map((row) => value(patches[row]!)));
}

const patientOf = ({ patient }: Patch) => patient;
const labelOf = ({ label }: Patch) => label;
const names = (patches: readonly Patch[], { train, heldOut }: PatchSplit, name: (patch: Patch) => string) => ({
  train: [...train].map((row) => name(patches[row]!)).sort(),
  heldOut: [...heldOut].map((row) => name(patches[row]!)).sort(),
});

describe('splitPatches', () => {
  it.each([1, 2, 3, 4, 5])('splits whole patients, every class in both parts and in proportion (seed %i)', (seed) => {
    const patches = cohort(30);
    const split = splitPatches(setOf(patches), {}, key(seed));
    expect(split).toMatchObject({ by: 'patient', groups: { train: 21, heldOut: 9 }, notes: [] });
    expect([split.train.length, split.heldOut.length]).toEqual([126, 54]);
    const train = valuesOn(patches, split.train, patientOf);
    expect([...valuesOn(patches, split.heldOut, patientOf)].filter((patient) => train.has(patient))).toEqual([]);
    for (const label of [0, 1, 2]) {
      expect([...split.heldOut].filter((row) => patches[row]!.label === label).length).toBe(18);
    }
    expect([...split.train]).toEqual([...split.train].sort((one, other) => one - other));
  });

  it('is the same for the same key, whatever the order of rows and of names', () => {
    const patches = cohort(30);
    const shuffled = key('rows')
      .generator()
      .shuffle([...patches]);
    const name = ({ slide }: Patch) => slide;
    const split = (some: readonly Patch[], seed: number, options = {}) =>
      names(some, splitPatches(setOf(some), options, key(seed)), name);
    expect(split(shuffled, 1)).toEqual(split(patches, 1));
    expect(split(patches, 2)).not.toEqual(split(patches, 1));
    expect(split(shuffled, 1, { by: 'slide' })).toEqual(split(patches, 1, { by: 'slide' }));
    const single = ready(patches);
    const mixed = key('rows')
      .generator()
      .shuffle([...single]);
    const alone = (some: readonly Patch[]) =>
      names(some, splitPatches(setOf(some, { ready: true }), { by: 'patch' }, key(1)), name);
    expect(alone(mixed)).toEqual(alone(single));
    const hashes = [1, 1, 2].map((seed) => splitPatches(setOf(patches), {}, key(seed)).sha256);
    expect([hashes[0] === hashes[1], hashes[0] === hashes[2]]).toEqual([true, false]);
  });

  it('holds out a share of the patches, also where patients have very unlike numbers of them', () => {
    const patches = Array.from({ length: 40 }, (_, patient) =>
      Array.from({ length: 1 + patient * 3 }, (_, n) => ({
        slide: `s${patient}-${n}`,
        patient: `p${patient}`,
        label: 0,
      })),
    ).flat();
    for (const heldOut of [0.1, 1 / 3, 0.5]) {
      const split = splitPatches(setOf(patches, { classes: 1 }), { heldOut }, key(3));
      expect(split.heldOut.length / patches.length).toBeCloseTo(heldOut, 1);
    }
    const giant = [
      ...cohort(10, 1),
      ...Array.from({ length: 1000 }, () => ({ slide: 'g', patient: 'giant', label: 0 })),
    ];
    const split = splitPatches(setOf(giant, { classes: 1 }), {}, key(3));
    expect(split.train.length + split.heldOut.length).toBe(giant.length);
    expect(Math.min(split.groups.train, split.groups.heldOut)).toBeGreaterThan(0);
  });

  it("takes the split of the user's table, and reports patients in both parts", () => {
    const patches = cohort(6).map((patch, n) => ({
      ...patch,
      split: n < 20 ? 'train' : n < 28 ? 'validation' : n < 35 ? 'test' : undefined,
    }));
    const split = splitPatches(setOf(patches), {}, key(1));
    expect([split.by, split.train.length, split.heldOut.length]).toEqual(['given', 20, 15]);
    expect(split.groups).toEqual({ train: 4, heldOut: 3 });
    expect(split.notes).toEqual([
      'In neither part: 1 patch that the table puts in no split.',
      "The split is the table's. In both parts: 1 patient, so metrics on held-out patches are too good.",
    ]);
    expect(splitPatches(setOf(patches), {}, key(2)).sha256).toBe(split.sha256);
    expect(splitPatches(setOf(patches), { by: 'patient' }, key(1)).by).toBe('patient');
    const onlyTrain = patches.map((patch) => ({ ...patch, split: 'train' }));
    const own = splitPatches(setOf(onlyTrain), {}, key(1));
    expect([own.by, own.notes[0]]).toEqual([
      'patient',
      expect.stringMatching(/own split is not used, because it has train only/),
    ]);
    expect(() => splitPatches(setOf(cohort(6)), { by: 'given' }, key(1))).toThrow(/there is no given split/);
  });

  it('leaves out patches of unknown patient where others are known, and counts them', () => {
    const patches = cohort(12).map((patch, n) => (n % 10 === 0 ? { ...patch, patient: undefined } : patch));
    const split = splitPatches(setOf(patches), {}, key(1));
    expect(split.by).toBe('patient');
    expect(split.notes).toEqual(['In neither part: 8 patches of unknown patient.']);
    expect([...split.train, ...split.heldOut].some((row) => patches[row]!.patient === undefined)).toBe(false);
  });

  it('divides slides where hardly a patient is known, and says what that means', () => {
    const without = cohort(12).map((patch) => ({ ...patch, patient: undefined }));
    const split = splitPatches(setOf(without), {}, key(1));
    expect(split).toMatchObject({ by: 'slide', groups: { train: 15, heldOut: 9 } });
    const slides = valuesOn(without, split.train, ({ slide }) => slide);
    expect(without.filter(({ slide }, row) => slides.has(slide) && split.heldOut.includes(row))).toEqual([]);
    expect(split.notes).toEqual([
      'Patients are not known. The split is by slide: one patient may be in both parts, so metrics on held-out patches may be too good.',
    ]);
    const few = cohort(12).map((patch, n) => (n < 6 ? patch : { ...patch, patient: undefined }));
    expect(splitPatches(setOf(few), {}, key(1)).by).toBe('slide');
    const asked = splitPatches(setOf(cohort(12)), { by: 'slide' }, key(1));
    expect(asked.notes).toEqual([
      expect.stringMatching(/^The split is by slide\. In both parts: \d+ patients, .* are too good/),
    ]);
  });

  it('divides single patches only where nothing else is known, of each class the same share, and warns loudly', () => {
    const patches = ready(cohort(30)).map((patch) => ({ ...patch, patient: undefined }));
    const split = splitPatches(setOf(patches, { ready: true }), {}, key(1));
    expect(split).toMatchObject({ by: 'patch', groups: { train: 120, heldOut: 60 } });
    for (const label of [0, 1, 2]) {
      expect([...split.heldOut].filter((row) => patches[row]!.label === label).length).toBe(20);
    }
    expect(split.notes).toEqual([
      expect.stringMatching(/^PATIENTS ARE NOT KNOWN\. The split is by patch: one patient may/),
    ]);
    const forced = splitPatches(setOf(cohort(30)), { by: 'patch' }, key(1));
    expect([forced.heldOut.length, new Set(forced.heldOut).size]).toEqual([60, 60]);
  });

  it('trains on what has no class, and judges by the rest', () => {
    const patches = [
      ...cohort(9),
      ...Array.from({ length: 5 }, () => ({ slide: 'real', patient: 'real' })),
      { slide: 's0', patient: 'p0' },
    ];
    const split = splitPatches(setOf(patches), {}, key(1));
    const real = patches.flatMap(({ patient }, row) => (patient === 'real' ? [row] : []));
    expect(real.every((row) => split.train.includes(row))).toBe(true);
    expect(split.notes).toEqual(['For training only, because none of their patches has a class: 1 patient.']);
    const none = cohort(9).map((patch) => ({ ...patch, label: undefined }));
    const unlabelled = splitPatches(setOf(none), {}, key(1));
    expect([unlabelled.by, unlabelled.heldOut.length, unlabelled.notes]).toEqual(['patient', 18, []]);
  });

  it('finds a draw with every class in both parts where the most of every slide is of one class', () => {
    // All slides are mostly of class 0, and only some have the others.
    const patches = Array.from({ length: 12 }, (_, slide) =>
      [0, 0, 0, slide < 3 ? 1 : 0, slide > 8 ? 2 : 0].map((label) => ({ slide: `s${slide}`, label })),
    ).flat();
    for (const seed of [1, 2, 3, 4, 5, 6]) {
      const split = splitPatches(setOf(patches), {}, key(seed));
      for (const part of [split.train, split.heldOut])
        expect(valuesOn(patches, part, labelOf)).toEqual(new Set([0, 1, 2]));
    }
  });

  it('says which class is missing in a part, and when the classes are not in proportion', () => {
    const patches = [...cohort(10, 2), { slide: 'rare', patient: 'rare', label: 2 }];
    const split = splitPatches(setOf(patches), {}, key(1));
    expect(split.notes).toEqual([
      'There are too few patients of some classes to keep the classes in proportion in both parts.',
      expect.stringMatching(/^No patch (that is held out|to train on) is of the class class-2\.$/),
    ]);
    const alone = ready([...cohort(10, 2), { slide: 'rare', label: 2 }]).map((patch) => ({
      ...patch,
      patient: undefined,
    }));
    expect(splitPatches(setOf(alone, { ready: true }), {}, key(1)).notes.at(-1)).toBe(
      'No patch that is held out is of the class class-2.',
    );
  });

  it('refuses what cannot be divided', () => {
    for (const share of [0, 1, -0.5, Number.NaN]) {
      expect(() => splitPatches(setOf(cohort(6)), { heldOut: share }, key(1))).toThrow(
        /heldOut must be a fraction above 0/,
      );
    }
    const one = cohort(6).map((patch) => ({ ...patch, patient: 'only' }));
    expect(() => splitPatches(setOf(one), {}, key(1))).toThrow(
      /all patches with a class are of one patient, only: it cannot be in both parts; .* by: "patch"/,
    );
    const without = cohort(6).map((patch) => ({ ...patch, patient: undefined }));
    expect(() => splitPatches(setOf(without), { by: 'patient' }, key(1))).toThrow(
      /no patient is known; choose another/,
    );
    expect(() => splitPatches(setOf(without), { by: 'site' as 'slide' }, key(1))).toThrow(
      /by must be given, patient, slide or/,
    );
    const single = setOf([{ slide: 'a', label: 0 }], { ready: true });
    expect(() => splitPatches(single, {}, key(1))).toThrow(/has no patch to evaluate on/);
  });

  it('divides a million patches of ten thousand patients', () => {
    const count = 1_000_000;
    const patients = Array.from({ length: 10_000 }, (_, patient) => `p${patient}`);
    const codes = Int32Array.from({ length: count }, (_, row) => Math.floor(row / 100));
    const large = {
      ...setOf([]),
      count,
      labels: codes.map((patient) => patient % 3),
      slides: { codes, names: patients },
      patients: { codes, names: patients },
    };
    const split = splitPatches(large, {}, key(1));
    expect([split.train.length + split.heldOut.length, split.notes]).toEqual([count, []]);
    expect(Math.abs(split.heldOut.length / count - 1 / 3)).toBeLessThan(0.01);
  });
});

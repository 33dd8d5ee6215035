import { describe, expect, it } from 'vitest';
import { type PatchSet, splitBySlide } from '../../src/datasets/index.js';
import { key } from '../../src/runs/index.js';

/** A set with one 1 px patch for each [slide, label]. */
function setOf(patches: readonly (readonly [slide: string, label: number])[], classes = 3): PatchSet {
  const ids = [...new Set(patches.map(([slide]) => slide))];
  return {
    images: new Uint8Array(3 * patches.length),
    count: patches.length,
    size: 1,
    mpp: 1,
    micrometers: 1,
    labels: Int32Array.from(patches, ([, label]) => label),
    classNames: Array.from({ length: classes }, (_, label) => `class ${label}`),
    slides: patches.map(([slide]) => slide),
    x: new Int32Array(patches.length),
    y: new Int32Array(patches.length),
    tissue: new Float32Array(patches.length),
    synthetic: patches.map(() => true),
    sources: ids.map((id) => ({ id }) as PatchSet['sources'][number]),
  };
}

/** Eight slides, each with two of the three classes, and one without labels. */
const mixed = setOf([
  ...Array.from({ length: 8 }, (_, slide) =>
    Array.from({ length: 10 }, (_, patch) => [`slide ${slide}`, (slide + (patch % 2)) % 3] as const),
  ).flat(),
  ...Array.from({ length: 5 }, () => ['real', -1] as const),
]);

describe('splitBySlide', () => {
  it.each([1, 2, 3, 4, 5])('divides by slide, every class on both sides (seed %i)', (seed) => {
    const split = splitBySlide(mixed, { heldOut: 0.25 }, key(seed));
    expect(split.heldOutSlides.length).toBe(2);
    const slidesOf = (patches: Int32Array) => new Set([...patches].map((patch) => mixed.slides[patch]!));
    const train = slidesOf(split.train);
    expect([...slidesOf(split.heldOut)].filter((slide) => train.has(slide))).toEqual([]);
    expect([...train].sort()).toEqual([...split.trainSlides].sort());
    expect(split.train.length + split.heldOut.length).toBe(mixed.count);
    for (const side of [split.trainLabelled, split.heldOut]) {
      expect(new Set([...side].map((patch) => mixed.labels[patch]!))).toEqual(new Set([0, 1, 2]));
    }
  });

  it('learns from unlabelled slides and does not judge by them', () => {
    const split = splitBySlide(mixed, { heldOut: 0.5 }, key(1));
    expect(split.trainSlides).toContain('real');
    expect(split.train.length - split.trainLabelled.length).toBe(5);
  });

  it('is the same for the same key', () => {
    expect(splitBySlide(mixed, { heldOut: 0.25 }, key(9))).toEqual(splitBySlide(mixed, { heldOut: 0.25 }, key(9)));
    const seeds = Array.from({ length: 10 }, (_, seed) => splitBySlide(mixed, { heldOut: 0.25 }, key(seed)));
    expect(new Set(seeds.map((split) => split.heldOutSlides.join())).size).toBeGreaterThan(1);
  });

  it('names the classes that cannot be on both sides', () => {
    const rare = setOf([
      ['a', 0],
      ['a', 1],
      ['b', 0],
      ['c', 0],
      ['c', 2],
    ]);
    expect(() => splitBySlide(rare, { heldOut: 0.3 }, key(1))).toThrow(/fewer than two slides: class 1, class 2/);
    expect(() => splitBySlide(setOf([['a', 0]]), { heldOut: 0.3 }, key(1))).toThrow(/needs two slides with labels/);
    expect(() => splitBySlide(mixed, { heldOut: 1 }, key(1))).toThrow(/between 0 and 1; got 1/);
  });
});

import { describe, expect, it } from 'vitest';
import { key } from '../../src/base/index.js';
import { featureStd, findCollapse, isSettled, rankMe } from '../../src/evaluate/index.js';

/** Rows around so many centers, that far from them. */
function spreadOf(centers: number, distance: number) {
  const [count, width] = [120, 16];
  const place = key('centers').generator();
  const own = Array.from({ length: centers * width }, () => Math.abs(place.normal()));
  const noise = key('noise').generator();
  const values = Float32Array.from(
    { length: count * width },
    (_, at) => own[(Math.floor(at / width) % centers) * width + (at % width)]! + distance * noise.normal(),
  );
  const features = { values, count, width };
  return { embeddingStd: featureStd(features), rankMe: rankMe(features) };
}

describe('findCollapse', () => {
  const first = spreadOf(1, 0.3);

  it('finds features that hardly differ, and says from what to what', () => {
    const now = spreadOf(1, 0.003);
    expect(findCollapse({ first, now })).toEqual({
      of: 'features',
      shows: expect.stringMatching(
        /^features of different patches are nearly the same \(deviation 0\.00\d+, before training 0\.\d+; RankMe 1\.\d+, before/,
      ),
    });
    expect(findCollapse({ first, now: { embeddingStd: Number.NaN, rankMe: Number.NaN } })?.of).toBe('features');
  });

  it('finds none where a training began, spread its features, or learned two classes perfectly', () => {
    expect(findCollapse({ first, now: first })).toBeUndefined();
    expect(findCollapse({ first, now: spreadOf(8, 0.3) })).toBeUndefined();
    const many = { embeddingStd: 0.9, rankMe: 200 };
    expect(findCollapse({ first: many, now: spreadOf(2, 1e-3) })).toBeUndefined();
  });

  it('finds a loss that stays at that of equal outputs, and not one that passes it', () => {
    const chanceLoss = Math.log(256);
    const losses = (values: readonly number[]) => findCollapse({ first, now: first, chanceLoss, losses: values });
    expect(losses([5.55, 5.54, 5.546])).toMatchObject({
      of: 'outputs',
      shows: expect.stringContaining('stays at 5.545'),
    });
    expect(losses([5.55, 5.4, 5.546])).toBeUndefined();
    expect(findCollapse({ first, now: first, losses: [5.55, 5.54] })).toBeUndefined();
    expect(losses([])).toBeUndefined();
  });
});

describe('isSettled', () => {
  it('waits for the warm-up, a fifth of the steps and a hundred', () => {
    const from = (steps: number, warmup: number) =>
      [50, 100, 150, 200, 250].find((step) => isSettled(step, { steps, warmup }));
    expect([from(200, 0), from(600, 0), from(400, 0.25), from(2000, 0)]).toEqual([100, 150, 200, undefined]);
  });
});

import { describe, expect, it } from 'vitest';
import { key } from '../../../src/base/index.js';
import { clusterBootstrapInterval, pairedDifferenceInterval, wilsonInterval } from '../../../src/evaluate/index.js';

describe('Wilson interval', () => {
  it('covers the true share about as often as it says', () => {
    const generator = key('wilson').generator();
    const experiments = 4000;
    let covered = 0;
    for (let experiment = 0; experiment < experiments; experiment++) {
      let successes = 0;
      for (let trial = 0; trial < 50; trial++) if (generator.uniform() < 0.8) successes++;
      const { low, high } = wilsonInterval(successes, 50);
      if (low <= 0.8 && 0.8 <= high) covered++;
    }
    expect(Math.abs(covered / experiments - 0.95)).toBeLessThan(0.02);
  });

  it('refuses what is not a proportion', () => {
    expect(() => wilsonInterval(3, 0)).toThrow(/got 3 of 0/);
    expect(() => wilsonInterval(5, 4)).toThrow(/got 5 of 4/);
  });
});

/** Patches whose slide decides much of whether they are right; on average `ease` of them are. */
function slidesOf(count: number, patches: number, generator: { uniform(): number }) {
  const correct: boolean[] = [];
  const clusters: string[] = [];
  for (let slide = 0; slide < count; slide++) {
    const ease = generator.uniform() < 0.5 ? 0.5 : 0.9;
    for (let patch = 0; patch < patches; patch++) {
      correct.push(generator.uniform() < ease);
      clusters.push(`slide ${slide}`);
    }
  }
  return { correct, clusters };
}

describe('cluster bootstrap', () => {
  it('covers the true accuracy where patches of a slide resemble each other, and Wilson does not', () => {
    const generator = key('slides').generator();
    const experiments = 300;
    let covered = 0;
    let coveredByWilson = 0;
    for (let experiment = 0; experiment < experiments; experiment++) {
      const { correct, clusters } = slidesOf(30, 40, generator);
      const interval = clusterBootstrapInterval(correct, clusters, { resamples: 2000, key: key(experiment) });
      if (interval.low <= 0.7 && 0.7 <= interval.high) covered++;
      const wilson = wilsonInterval(correct.filter(Boolean).length, correct.length);
      if (wilson.low <= 0.7 && 0.7 <= wilson.high) coveredByWilson++;
    }
    expect(covered / experiments).toBeGreaterThan(0.89);
    expect(coveredByWilson / experiments).toBeLessThan(0.75);
  });

  it('equals itself for the same key, and says over how many slides it is', () => {
    const { correct, clusters } = slidesOf(6, 10, key(3).generator());
    const interval = clusterBootstrapInterval(correct, clusters, { key: key(1) });
    expect(clusterBootstrapInterval(correct, clusters, { key: key(1) })).toEqual(interval);
    expect(interval.method).toBe('percentile bootstrap over 6 slides (60 patches), 10000 resamples');
    const accuracy = correct.filter(Boolean).length / correct.length;
    expect(interval.low).toBeLessThan(accuracy);
    expect(interval.high).toBeGreaterThan(accuracy);
  });

  it('does not depend on the order of the patches', () => {
    const { correct, clusters } = slidesOf(6, 10, key(3).generator());
    const order = key(4)
      .generator()
      .shuffle([...correct.keys()]);
    const of = <T>(values: T[]) => order.map((patch) => values[patch]!);
    expect(clusterBootstrapInterval(of(correct), of(clusters), { key: key(1) })).toEqual(
      clusterBootstrapInterval(correct, clusters, { key: key(1) }),
    );
  });

  it('refuses a single slide, and lists that do not fit', () => {
    expect(() => clusterBootstrapInterval([true, false], ['a', 'a'], { key: key(1) })).toThrow(
      /at least two slides; got 1.*hold out more slides/,
    );
    expect(() => clusterBootstrapInterval([true], ['a', 'b'], { key: key(1) })).toThrow(/1 results for 2 cluster/);
    expect(() => pairedDifferenceInterval([true], [true, false], ['a'], { key: key(1) })).toThrow(/1 and 2/);
    expect(() => clusterBootstrapInterval([true, true], ['a', 'b'], { key: key(1), level: 95 })).toThrow(/\.95/);
    expect(() => clusterBootstrapInterval([true, true], ['a', 'b'], { key: key(1), resamples: 400 })).toThrow(
      /at least 2000 resamples; got 400/,
    );
  });
});

describe('paired difference', () => {
  it('is narrower than the two accuracies let expect, since hard slides are hard for both', () => {
    const generator = key('paired').generator();
    const { correct: first, clusters } = slidesOf(20, 30, generator);
    const second = first.map((right) => right || generator.uniform() < 0.2);
    const difference = pairedDifferenceInterval(first, second, clusters, { key: key(1) });
    const alone = clusterBootstrapInterval(first, clusters, { key: key(1) });
    expect(difference.low).toBeGreaterThan(0);
    expect(difference.high - difference.low).toBeLessThan(0.5 * (alone.high - alone.low));
    const none = pairedDifferenceInterval(first, first, clusters, { key: key(1) });
    expect([none.low, none.high]).toEqual([0, 0]);
  });
});

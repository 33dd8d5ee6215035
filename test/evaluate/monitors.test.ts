import { expect, it } from 'vitest';
import { accuracyMonitor, collapseMonitor, type MonitoredFeatures } from '../../src/evaluate/index.js';
import type { BatchSource } from '../../src/input/index.js';

const source = { labels: Int32Array.of(0, 1, 0, 1), dataset: { classNames: ['a', 'b'] } } as unknown as BatchSource;

/** What the monitors of a training find in these features of its patches. */
async function found(values: readonly number[]): Promise<Record<string, number>> {
  const all = { values: Float32Array.from(values), count: 4, width: 2 };
  const features = { of: async () => all, dispose: () => {} } as unknown as MonitoredFeatures;
  const shared = { everySteps: 1, features };
  const monitors = [
    accuracyMonitor({ ...shared, bank: source, queries: source, neighbors: 2 }),
    collapseMonitor({ ...shared, patches: source }),
  ];
  const results = await Promise.all(monitors.map(({ run }) => run({} as never, {} as never)));
  return Object.assign({}, ...results);
}

it('monitors of a network whose features are all 0 are at their ends', async () => {
  const zeros = await found([0, 0, 0, 0, 0, 0, 0, 0]);
  expect(zeros).toMatchObject({ embeddingStd: 0, rankMe: 1, uniformity: 0 });
  for (const name of ['knnAccuracy', 'linearAccuracy']) expect(zeros[name]).toBe(0.5);
});

it('monitors find NaN in features that are not finite, under the same names', async () => {
  const whole = await found([1, 0, 0, 1, 2, 0, 0, 3]);
  expect(Object.values(whole).every(Number.isFinite)).toBe(true);
  const broken = await found([1, 0, 0, Number.POSITIVE_INFINITY, 2, 0, 0, 3]);
  expect(broken).toEqual(Object.fromEntries(Object.keys(whole).map((name) => [name, Number.NaN])));
});

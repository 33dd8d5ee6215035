import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { key } from '../../src/base/index.js';
import { downsample, downsampleTogether, type Point, Series } from '../../src/report/series.js';
import { trainingChart } from '../../src/report/training-chart.js';
import { type TrainingHistory, trainingHistory } from '../../src/report/training-history.js';
import { EventLog } from '../../src/runs/index.js';

const noise = (count: number, stride = 1): Point[] => {
  const generator = key('noise').generator();
  return Array.from({ length: count }, (_, index) => ({ step: stride * index, value: generator.uniform() }));
};
const seriesOf = (points: readonly Point[], limit: number) => {
  const series = new Series(limit);
  for (const point of points) series.add(point);
  return series.points();
};

describe('a series', () => {
  it('keeps every point while they are few', () => {
    const few = noise(40, 500);
    expect(seriesOf(few, 100)).toEqual(few);
    expect(seriesOf([], 100)).toEqual([]);
  });

  it.each([1, 7, 500])('of many points keeps the first, the last and the extremes, in order (stride %i)', (stride) => {
    const points = noise(12_345, stride);
    points[6789]!.value = 40;
    points[6790]!.value = -40;
    const kept = seriesOf(points, 100);
    expect(kept.length).toBeLessThanOrEqual(100);
    expect(kept.length).toBeGreaterThan(40);
    expect(kept).toEqual(points.filter((point) => kept.includes(point)));
    for (const place of [0, 6789, 6790, 12_344]) expect(kept).toContain(points[place]);
  });

  it('has no part of the steps without points', () => {
    const kept = seriesOf(noise(100_000), 200);
    const gaps = kept.slice(1).map((point, index) => point.step - kept[index]!.step);
    // A bucket is a power of two, here 1,024 or 2,048 of 100,000 steps.
    expect(Math.max(...gaps)).toBeLessThan(2 * 2048);
  });

  it('does not change when steps come a second time, as of a training that began afresh', () => {
    const points = noise(1000);
    const again = points.slice(0, 300).map((point) => ({ ...point }));
    expect(seriesOf([...points.slice(0, 300), ...again, ...points.slice(300)], 100)).toEqual(seriesOf(points, 100));
  });

  it('refuses a limit that has no room for both ends and both extremes', () => {
    expect(() => new Series(3)).toThrow('4 points or more; got a limit of 3');
  });

  it('that is short stays whole beside a long one', () => {
    const [long, short] = [noise(1900), noise(300, 6)];
    const [thinned, whole] = downsampleTogether([long, short], 1000);
    expect(whole).toEqual(short);
    expect(thinned).toEqual(downsample(long, 700));
    expect(thinned!.length).toBeGreaterThan(350);
  });
});

describe('a training of 400,000 steps', () => {
  const steps = 400_000;
  const evaluations = 800;
  const spike = 234_567;
  const panels = [
    { title: 'loss', metrics: ['loss'], reference: { value: 4, label: 'all views alike' } },
    { title: 'kNN accuracy', metrics: ['knnAccuracy'] },
    { title: 'spread', metrics: ['featureStd', 'rankMe'] },
  ];
  let folder: string;
  let log: EventLog;
  let history: TrainingHistory;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'pathlab-history-'));
    log = await EventLog.open(join(folder, 'events.jsonl'));
    const generator = key('losses').generator();
    for (let step = 1; step <= steps; step++) {
      const time = new Date(Date.UTC(2024, 0, 1) + 500 * step).toISOString();
      const loss = step === spike ? 30 : 1 + 3 * Math.exp(-step / 50_000) + 0.2 * generator.uniform();
      void log.append({ time, kind: 'step', step, steps, loss, learningRate: 0.1, imagesPerSecond: 512 });
      if (step % (steps / evaluations)) continue;
      const measured = { knnAccuracy: step / steps, featureStd: 0.5, rankMe: step === 1000 ? Number.NaN : 100 };
      void log.append({ time, kind: 'evaluation', step, ...measured });
    }
    await log.sync();
    history = await trainingHistory(log.path);
  }, 120_000);
  afterAll(() => rmSync(folder, { recursive: true }));

  it('is read in at most 1,000 points a metric, with the spike and both ends of the loss', () => {
    expect(history.step).toBe(steps);
    expect(history.seconds).toBeCloseTo((steps - 1) / 2);
    const losses = history.metrics.get('loss')!.points();
    expect(losses.length).toBeLessThanOrEqual(1000);
    expect(losses.length).toBeGreaterThan(500);
    expect([losses.at(0)!.step, losses.at(-1)!.step]).toEqual([1, steps]);
    expect(losses).toContainEqual({ step: spike, value: 30 });
    expect(history.metrics.get('knnAccuracy')!.points()).toHaveLength(evaluations);
    // JSON has no NaN: what was not a number is not a point.
    expect(history.metrics.get('rankMe')!.points()).toHaveLength(evaluations - 1);
  });

  it('is drawn with at most 2,000 points in all, among them the spike', () => {
    const { spec, alt } = trainingChart(history, { title: 'SimCLR', totalSteps: steps, panels });
    const layers = (spec.vconcat as { layer: { data: { values: object[] } }[] }[]).flatMap(({ layer }) => layer);
    const points = layers.flatMap(({ data }) => data.values).filter((row) => 'value' in row);
    expect(points.length).toBeLessThanOrEqual(2000);
    expect(points.length).toBeGreaterThan(1000);
    expect(points).toContainEqual({ metric: 'loss', step: spike, value: 30 });
    expect(JSON.stringify(spec).length).toBeLessThan(200_000);
    expect(alt).toContain('400,000 steps, 55 h 33 min; loss ');
  });

  it('is synced without reading or writing what was logged before', async () => {
    const { size } = statSync(log.path);
    expect(size).toBeGreaterThan(40_000_000);
    const before = bytesMoved();
    await log.append({ kind: 'finished', step: steps });
    expect(await log.sync()).toBe(statSync(log.path).size);
    expect(bytesMoved() - before).toBeLessThan(size / 10);
  });
});

/** Bytes that this process has read and written. */
function bytesMoved(): number {
  const [, read, written] = /rchar: (\d+)\nwchar: (\d+)/.exec(readFileSync('/proc/self/io', 'utf8'))!;
  return Number(read) + Number(written);
}

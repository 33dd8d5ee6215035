import { beforeAll, describe, expect, it } from 'vitest';
import { imageNetColors } from '../../src/augment/index.js';
import { InterruptedError, key } from '../../src/base/index.js';
import { compileDataset, openShardDataset, type ShardDataset } from '../../src/datasets/index.js';
import { tf } from '../../src/engine/index.js';
import {
  colorHistogramFeatures,
  colorHistograms,
  compareFeatures,
  type Encoder,
  extractFeatures,
  FeatureExtractor,
  groupsOf,
  knnClassify,
  linearProbe,
  MonitoredFeatures,
} from '../../src/evaluate/index.js';
import { BatchSource, readImages } from '../../src/input/index.js';
import { resnet } from '../../src/models/index.js';
import { smallDataset, temporaryFolder } from '../datasets/small-dataset.js';

let dataset: ShardDataset;
beforeAll(async () => {
  const { folder } = await compileDataset(await smallDataset(24), { data: temporaryFolder() });
  dataset = await openShardDataset(folder);
});

const backbone = resnet({ depth: 18, width: 0.125 });
const encoderOf = (seed: number): Encoder => ({
  backbone,
  model: backbone.initialize(key(seed)),
  view: { size: 32, colors: imageNetColors },
});
const patches = Array.from({ length: 11 }, (_, row) => row + 3);

describe('extractFeatures', () => {
  it('gives every patch to the backbone once, in order, whatever the batch size and the storage', async () => {
    const encoder = encoderOf(1);
    const whole = await extractFeatures(encoder, new BatchSource(dataset, { patches, batchSize: 11 }));
    expect(whole).toMatchObject({ count: 11, width: 64 });
    for (const [batchSize, memory] of [
      [1, 0],
      [4, 0],
      [4, undefined],
    ] as const) {
      const seen: number[] = [];
      const source = new BatchSource(dataset, { patches, batchSize, memory });
      const features = await extractFeatures(encoder, source, { onProgress: (done) => seen.push(done) });
      features.values.forEach((value, at) => {
        expect(value).toBeCloseTo(whole.values[at]!, 4);
      });
      expect(seen).toHaveLength(Math.ceil(11 / batchSize));
      expect(seen.at(-1)).toBe(11);
    }
  });

  it('takes new weights without compiling again, and looks at the center of the image alone where asked', async () => {
    const source = new BatchSource(dataset, { patches, batchSize: 11 });
    const extractor = new FeatureExtractor(backbone, encoderOf(1).view);
    const [one, other] = [encoderOf(1), encoderOf(2)];
    const first = await extractor.extract(one.model, source);
    const second = await extractor.extract(other.model, source);
    expect(first.values).toEqual((await extractFeatures(one, source)).values);
    expect(second.values).toEqual((await extractFeatures(other, source)).values);
    expect(second.values).not.toEqual(first.values);
    extractor.dispose();
    const cropped = await extractFeatures({ ...one, view: { ...one.view, crop: 0.5 } }, source);
    expect(cropped.values).not.toEqual(first.values);
  });

  it('is done once for monitors that share features, and again for other weights and other patches', async () => {
    const shared = new MonitoredFeatures();
    const [source, others] = [patches, patches.slice(0, 5)].map(
      (rows) => new BatchSource(dataset, { patches: rows, batchSize: rows.length }),
    ) as [BatchSource, BatchSource];
    const [one, other] = [encoderOf(1), encoderOf(2)];
    const first = await shared.of(one, source);
    expect(first.values).toEqual((await extractFeatures(one, source)).values);
    expect(await shared.of({ ...one, model: { ...one.model } }, source)).toBe(first);
    expect((await shared.of(one, others)).count).toBe(5);
    expect((await shared.of(other, source)).values).toEqual((await extractFeatures(other, source)).values);
    shared.dispose();
  });

  it('stops when asked to, refuses a shuffled source, and leaves no tensors behind', async () => {
    const encoder = encoderOf(1);
    const source = new BatchSource(dataset, { patches, batchSize: 2, memory: 0 });
    await extractFeatures(encoder, source);
    const before = tf.memory().numTensors;
    const controller = new AbortController();
    const onProgress = (done: number) => void (done === 4 && controller.abort());
    await expect(extractFeatures(encoder, source, { onProgress, signal: controller.signal })).rejects.toThrow(
      InterruptedError,
    );
    const shuffled = new BatchSource(dataset, { patches, batchSize: 2, key: key(1) });
    await expect(extractFeatures(encoder, shuffled)).rejects.toThrow(/needs a source that is not shuffled/);
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('color histograms', () => {
  it('of a source are those of its images', async () => {
    const source = new BatchSource(dataset, { patches, batchSize: 4 });
    const images: number[] = [];
    for await (const batch of readImages(source)) images.push(...batch);
    const expected = colorHistogramFeatures({ images: Uint8Array.from(images), count: 11, size: source.size });
    const found = await colorHistograms(source);
    expect(found).toEqual(expected);
  });
});

describe('compareFeatures', () => {
  it('judges kinds of features on the same patches, by patients where they are known', async () => {
    const labelled = Array.from(dataset.labels.keys()).filter((row) => dataset.labels[row]! >= 0);
    const side = (wanted: number) =>
      new BatchSource(dataset, {
        patches: labelled.filter((row) => (dataset.patients.codes[row]! >> 1) % 2 === wanted),
        batchSize: 8,
      });
    const [bank, queries] = [side(0), side(1)];
    // Features that know the class: right everywhere.
    const oracle = async ({ labels, dataset }: BatchSource) => {
      const width = dataset.classNames.length;
      const values = new Float32Array(labels.length * width);
      labels.forEach((label, row) => {
        values[row * width + label] = 1;
      });
      return { values, count: labels.length, width };
    };
    const comparison = await compareFeatures({
      ...{ bank, queries, neighbors: 1, key: key(1) },
      features: { oracle, 'color histogram': (source) => colorHistograms(source) },
    });
    const [best, color] = comparison.accuracies;
    expect(best).toMatchObject({ name: 'oracle', value: 1, interval: { low: 1, high: 1 } });
    expect(comparison.gains[0]!.value).toBeCloseTo(1 - color!.value, 12);
    expect(comparison.linear.accuracies[0]).toMatchObject({ name: 'oracle', value: 1, interval: { low: 1, high: 1 } });
    expect(comparison.linear.accuracies.map(({ name }) => name)).toEqual(comparison.accuracies.map(({ name }) => name));
    expect(comparison.groups.of).toBe('patients');
    expect(comparison.patches).toBe(queries.count);
    const [gain] = comparison.gains;
    expect(gain!.interval!.low).toBeLessThanOrEqual(gain!.value);
    // Four patients are too few for an interval.
    const few = new BatchSource(dataset, {
      patches: queries.rows.filter((row) => dataset.patients.codes[row]! < 8),
      batchSize: 8,
    });
    const small = await compareFeatures({ bank, queries: few, neighbors: 1, key: key(1), features: { oracle } });
    expect(small).toMatchObject({ groups: { of: 'patients', count: 4 }, accuracies: [{ value: 1, interval: null }] });
    const colors = [await colorHistograms(bank), await colorHistograms(queries)] as const;
    const knn = await knnClassify(colors[0], bank.labels, colors[1], queries.labels, {
      classes: dataset.classNames.length,
      neighbors: 1,
    });
    expect(color!.value).toBe(knn.accuracy);
    const probe = await linearProbe(colors[0], bank.labels, colors[1], queries.labels, {
      classes: dataset.classNames.length,
    });
    expect(comparison.linear.accuracies[1]!.correct).toEqual(probe.correct);
  });

  it('takes slides, or patches, where patients are not known', () => {
    const unknown = { codes: new Int32Array(dataset.count).fill(-1), names: [] };
    const rows = Int32Array.from([0, 1, 20]);
    expect(groupsOf({ dataset, rows }).of).toBe('patients');
    expect(groupsOf({ dataset, rows }, 'slides')).toEqual(
      groupsOf({ dataset: { ...dataset, patients: unknown }, rows }),
    );
    const without = { ...dataset, patients: unknown };
    expect(groupsOf({ dataset: without, rows }).of).toBe('slides');
    const names = Array.from({ length: dataset.count }, (_, row) => `patch ${row}`);
    const own = { codes: Int32Array.from(names.keys()), names };
    expect(groupsOf({ dataset: { ...without, slides: own }, rows })).toEqual({
      of: 'patches',
      names: ['patch 0', 'patch 1', 'patch 20'],
    });
  });
});

describe('knnClassify', () => {
  const bank = { values: Float32Array.of(1, 0, 0, 1), count: 2, width: 2 };
  const labels = Int32Array.of(0, 1);

  it('does not care how long the vectors are', async () => {
    const queries = { values: Float32Array.of(1e-3, 2e-3, 5000, 10), count: 2, width: 2 };
    const result = await knnClassify(bank, labels, queries, Int32Array.of(1, 0), { neighbors: 2, classes: 2 });
    expect(result.accuracy).toBe(1);
  });

  it('compares in blocks with the same result', async () => {
    const generator = key('blocks').generator();
    const random = (count: number) => ({
      values: Float32Array.from({ length: count * 3 }, () => generator.normal()),
      count,
      width: 3,
    });
    // 9,000 bank rows hold 1,864 queries a block: two blocks.
    const train = random(9000);
    const trainLabels = Int32Array.from({ length: 9000 }, (_, row) => Number(train.values[row * 3]! > 0));
    const test = random(2000);
    const testLabels = Int32Array.from({ length: 2000 }, (_, row) => Number(test.values[row * 3]! > 0));
    const whole = await knnClassify(train, trainLabels, test, testLabels, { classes: 2 });
    expect(whole.accuracy).toBeGreaterThan(0.97);
    const last = { values: test.values.slice(1900 * 3), count: 100, width: 3 };
    const part = await knnClassify(train, trainLabels, last, testLabels.slice(1900), { classes: 2 });
    expect(part.predictions).toEqual(whole.predictions.slice(1900));
  });

  it('refuses what cannot be classified, saying where', async () => {
    const queries = { values: Float32Array.of(1, 0), count: 1, width: 2 };
    const zero = Int32Array.of(0);
    const options = { neighbors: 1, classes: 2 };
    await expect(knnClassify(bank, labels, queries, zero, { classes: 2 })).rejects.toThrow(
      /20 neighbors are more than the bank's 2 rows/,
    );
    await expect(knnClassify(bank, Int32Array.of(0, -1), queries, zero, options)).rejects.toThrow(
      /train labels: row 1 has the label -1/,
    );
    await expect(knnClassify(bank, labels, queries, labels, options)).rejects.toThrow(/test labels: 2 labels for 1/);
    const wide = { values: Float32Array.of(1, 0, 0), count: 1, width: 3 };
    await expect(knnClassify(bank, labels, wide, zero, options)).rejects.toThrow(/width 3.*width 2/);
    const broken = { values: Float32Array.of(1, Number.NaN), count: 1, width: 2 };
    await expect(knnClassify(bank, labels, broken, zero, options)).rejects.toThrow(/row 0 holds NaN/);
  });
});

describe('colorHistogramFeatures', () => {
  it('counts pixels by color, wherever they lie', () => {
    const images = Uint8Array.of(
      ...[255, 0, 0, 255, 10, 0, 0, 0, 255, 0, 0, 255],
      ...[0, 0, 250, 254, 0, 0, 0, 0, 255, 250, 0, 9],
    );
    const { values, width, count } = colorHistogramFeatures({ images, count: 2, size: 2 }, 4);
    expect({ width, count }).toEqual({ width: 64, count: 2 });
    expect(values.slice(0, 64)).toEqual(values.slice(64));
    expect(values[3 * 16]).toBeCloseTo(Math.sqrt(1 / 2), 6);
    expect(values[3]).toBeCloseTo(Math.sqrt(1 / 2), 6);
    expect(values.slice(0, 64).reduce((sum, value) => sum + value * value, 0)).toBeCloseTo(1, 6);
  });
});

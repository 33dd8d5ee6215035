import { copyFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { imagesOfDecoded } from '../../src/augment/index.js';
import { key } from '../../src/base/index.js';
import { compileDataset, openShardDataset, readEncoded, type ShardDataset } from '../../src/datasets/index.js';
import { compile, disposeTensors, type Tensor, type Tensors, tf } from '../../src/engine/index.js';
import {
  BatchSource,
  type BatchSourceOptions,
  batchesOnce,
  classWeights,
  colorStatistics,
  readImages,
} from '../../src/input/index.js';
import { smallDataset, temporaryFolder } from '../datasets/small-dataset.js';

let folder: string;
let dataset: ShardDataset;
beforeAll(async () => {
  ({ folder } = await compileDataset(await smallDataset(5), { data: temporaryFolder() }));
  dataset = await openShardDataset(folder);
});

const patchesOf = (source: BatchSource, steps: number, first = 0) =>
  Array.from({ length: steps }, (_, step) => [...source.patchesOf(first + step)]).flat();
const ascending = (patches: Iterable<number>) => [...patches].sort((one, other) => one - other);
const rows = (count: number) => Array.from({ length: count }, (_, row) => row);

/** The images and labels of a step as a compiled step gets them, as numbers. */
async function contents(source: BatchSource, step: number) {
  const decode = compile(function decodeBatch(loaded: Tensors) {
    const { images, labels, masks } = source.decode(loaded);
    const sums = tf.cast(labels, 'float32');
    return { images: tf.div(imagesAsNumbers(images), 1), labels: sums, ...(masks && { masks: masks.add(0) }) };
  });
  const loaded = await source.load(step);
  const output = await decode(loaded);
  const values = Object.fromEntries(
    Object.entries(output).map(([name, tensor]) => [name, Array.from((tensor as (typeof loaded)[string]).dataSync())]),
  );
  disposeTensors(loaded, output as Tensors);
  decode.dispose();
  return values;
}

const imagesAsNumbers = (bytes: Tensors[string]) => imagesOfDecoded(bytes).mul(255).round();

describe('openShardDataset', () => {
  it('knows what the index says', () => {
    expect(dataset.count).toBe(dataset.report.counts.patches);
    expect([dataset.size, dataset.shardNames.length]).toEqual([64, 5]);
    expect(dataset.classNames).toEqual([...dataset.classNames].sort());
    const classes = dataset.index.array('class') as (string | null)[];
    rows(dataset.count).forEach((row) => {
      expect(dataset.classNames[dataset.labels[row]!] ?? null).toBe(classes[row]);
    });
  });

  it('knows slide, patient and site of each patch, and which were drawn', () => {
    const { slides, patients, sites, synthetic, splits } = dataset;
    const index = dataset.index.objects() as Record<string, unknown>[];
    for (const [row, { slide, patient, site }] of index.entries()) {
      expect(slides.names[slides.codes[row]!]).toBe(slide);
      expect(patients.names[patients.codes[row]!]).toBe(patient);
      expect(sites.names[sites.codes[row]!]).toBe(site);
    }
    expect([slides.names.length, patients.names.length, sites.names.length]).toEqual([5, 3, 2]);
    expect(synthetic.every((drawn) => drawn === 1)).toBe(true);
    expect(splits).toBeNull();
  });

  it('refuses a folder that is not compiled, or was compiled by an earlier version', async () => {
    await expect(openShardDataset(temporaryFolder())).rejects.toThrow(/is not a compiled dataset/);
    const place = temporaryFolder();
    for (const file of ['report.json', 'index.arrow']) copyFileSync(join(folder, file), join(place, file));
    const { classes: _, ...older } = dataset.report;
    writeFileSync(join(place, 'report.json'), JSON.stringify(older));
    await expect(openShardDataset(place)).rejects.toThrow(/its report\.json is not a report/);
    writeFileSync(join(place, 'report.json'), JSON.stringify({ ...older, classes: ['acinar', 'nested'] }));
    await expect(openShardDataset(place)).rejects.toThrow(
      /of the class "(diffuse|papillary)", which is not in its report/,
    );
    writeFileSync(join(place, 'report.json'), JSON.stringify({ ...dataset.report, shardVersion: 2 }));
    await expect(openShardDataset(place)).rejects.toThrow(
      /has shards of version 2; this version of pathlab reads version 3\. Run "pathlab compile" again/,
    );
  });

  it.each<[string, string, string, RegExp]>([
    [
      'a report that is cut short',
      'report.json',
      '{',
      /is not a compiled dataset \(.*JSON.*\); run "pathlab compile" first/,
    ],
    [
      'the report of a fetch',
      'report.json',
      '{"slides": 3}',
      /is not a compiled dataset \(its report\.json is not a report/,
    ],
    [
      'an index that is cut short',
      'index.arrow',
      'ARROW1',
      /the index .*index\.arrow cannot be read \(.*\); compile it again/,
    ],
    ['an empty index', 'index.arrow', '', /the index .*index\.arrow cannot be read \(it has no column "shard"\)/],
  ])('refuses %s, and says of which file', async (_, name, content, message) => {
    const place = temporaryFolder();
    for (const file of ['report.json', 'index.arrow']) copyFileSync(join(folder, file), join(place, file));
    writeFileSync(join(place, name), content);
    await expect(openShardDataset(place)).rejects.toThrow(message);
  });
});

describe('BatchSource', () => {
  it('gives each patch once an epoch, in another order each', () => {
    const source = new BatchSource(dataset, { batchSize: 1, key: key('epoch'), bufferSize: 7 });
    expect(source.stepsPerEpoch).toBe(dataset.count);
    const first = patchesOf(source, dataset.count);
    const second = patchesOf(source, dataset.count, dataset.count);
    expect(ascending(first)).toEqual(rows(dataset.count));
    expect(ascending(second)).toEqual(rows(dataset.count));
    expect(second).not.toEqual(first);
  });

  it('depends on the number of the step alone, whatever was asked before', () => {
    for (const options of [{ bufferSize: 9 }, { bufferSize: 1000 }, { balanced: true, bufferSize: 12 }]) {
      const settings = { batchSize: 3, key: key('resume'), ...options };
      const inOrder = new BatchSource(dataset, settings);
      const expected = rows(60).map((step) => [...inOrder.patchesOf(step)]);
      const jumping = new BatchSource(dataset, settings);
      for (const step of [59, 0, 14, 13, 40, 41]) expect([...jumping.patchesOf(step)]).toEqual(expected[step]);
      expect(jumping.identity).toBe(inOrder.identity);
    }
  });

  it('gives the bytes and the class of each patch, the same from memory and from shards', async () => {
    const options = { batchSize: 16, key: key('bytes') };
    const fromShards = new BatchSource(dataset, { ...options, memory: 0 });
    const fromMemory = new BatchSource(dataset, options);
    expect(fromShards.storage).toMatch(/^\d+ patches of 64 px, read from shards/);
    expect(fromMemory.storage).toMatch(/^\d+ patches of 64 px, decoded in memory \(1 MiB\)/);
    expect(fromMemory.identity).toBe(fromShards.identity);
    for (const step of [0, 1, 5, 2]) {
      const [one, other] = [await contents(fromShards, step), await contents(fromMemory, step)];
      expect(other).toEqual(one);
      const patches = fromShards.patchesOf(step);
      expect(one.labels).toEqual(Array.from(patches, (patch) => dataset.labels[patch]!));
      const [patch] = await readEncoded(dataset, [patches[3]!]);
      const pixels = [...(await sharp(patch!.image).raw().toBuffer())];
      const given = one.images!.slice(3 * pixels.length, 4 * pixels.length);
      // Two decoders that are right differ by one in some pixels.
      expect(pixels.filter((value, at) => Math.abs(value - given[at]!) > 1)).toEqual([]);
    }
  });

  it('decodes at a half or less where that is all that is wanted', async () => {
    const whole = new BatchSource(dataset, { batchSize: 4 });
    const half = new BatchSource(dataset, { batchSize: 4, imageSize: 32 });
    expect([whole.size, half.size]).toEqual([64, 32]);
    expect(new BatchSource(dataset, { batchSize: 4, imageSize: 33 }).size).toBe(64);
    expect(new BatchSource(dataset, { batchSize: 4, imageSize: 1 }).size).toBe(8);
    const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    const [one, other] = [await contents(whole, 0), await contents(half, 0)];
    expect(other.images).toHaveLength(4 * 32 * 32 * 3);
    expect(mean(other.images!)).toBeCloseTo(mean(one.images!), 0);
    expect(half.identity).not.toBe(whole.identity);
  });

  it('divides each batch among replicas, which together see what one sees', () => {
    const options = { key: key('replicas') };
    const alone = new BatchSource(dataset, { ...options, batchSize: 8 });
    const replicas = [0, 1].map(
      (index) => new BatchSource(dataset, { ...options, batchSize: 8, replica: { index, count: 2 } }),
    );
    expect(replicas[0]!.stepsPerEpoch).toBe(alone.stepsPerEpoch);
    for (const step of [0, 3, 11]) {
      const together = replicas.flatMap((source) => [...source.patchesOf(step)]);
      expect(together).toEqual([...alone.patchesOf(step)]);
    }
    // A checkpoint of one goes on with the other.
    for (const { identity } of replicas) expect(identity).toBe(alone.identity);
    const whole = () => ({ rows: tf.range(0, 8).reshape([8, 1]) as Tensor });
    expect(replicas.flatMap((source) => Array.from(source.ownRows(whole()).rows!.dataSync()))).toEqual(rows(8));
    const replica = { index: 2, count: 2 };
    expect(() => new BatchSource(dataset, { batchSize: 2, replica })).toThrow(/index 0 to count - 1/);
    const odd = { batchSize: 3, replica: { index: 0, count: 2 } };
    expect(() => new BatchSource(dataset, odd)).toThrow(/batch of 3 cannot be divided among 2 replicas/);
  });

  it('mixes slides well: neighbours in the order are of many', () => {
    // 100 slides of 500 patches; a batch of 256 through the default buffer.
    const count = 50_000;
    const shards = Int32Array.from({ length: count }, (_, row) => Math.floor(row / 500));
    const large = { ...dataset, count, shards, labels: new Int32Array(count) };
    const source = new BatchSource(large, { batchSize: 256, key: key('mix'), memory: 0 });
    for (let step = 0; step < 20; step++) {
      // Drawn at random from all, 92 of 100 slides would be expected.
      expect(new Set([...source.patchesOf(step)].map((patch) => shards[patch])).size).toBeGreaterThan(55);
    }
  });

  it('draws every class equally often when balanced, rare ones again and again', () => {
    const labelled = rows(dataset.count).filter((patch) => dataset.labels[patch]! >= 0);
    const [rare] = labelled.filter((patch) => dataset.labels[patch] === 0);
    const patches = labelled.filter((patch) => dataset.labels[patch] !== 0 || patch === rare);
    const source = new BatchSource(dataset, { batchSize: 10, key: key('balance'), balanced: true, patches });
    const counts = new Array<number>(dataset.classNames.length).fill(0);
    for (const patch of patchesOf(source, 100)) counts[dataset.labels[patch]!]!++;
    for (const count of counts) expect(Math.abs(count - 1000 / counts.length)).toBeLessThan(60);
    expect(() => new BatchSource(dataset, { batchSize: 1, balanced: true })).toThrow(/give it a key/);
  });

  it('keeps the order that is given without a key, each patch once, the last batch filled up', async () => {
    const patches = [2, 3, 21, 8, 20];
    const source = new BatchSource(dataset, { batchSize: 2, patches });
    expect(patchesOf(source, 3)).toEqual([2, 3, 21, 8, 20, 2]);
    const counts: number[] = [];
    for await (const { first, count } of batchesOnce(source)) counts.push(first, count);
    expect(counts).toEqual([0, 2, 2, 2, 4, 1]);
    const lengths: number[] = [];
    for await (const images of readImages(source)) lengths.push(images.length / (64 * 64 * 3));
    expect(lengths).toEqual([2, 2, 1]);
    const shuffled = new BatchSource(dataset, { batchSize: 2, patches, key: key(1) });
    await expect(readImages(shuffled).next()).rejects.toThrow(/needs a source that is not shuffled/);
  });

  it.each<[Partial<BatchSourceOptions>, RegExp]>([
    [{ batchSize: 0 }, /batchSize must be a positive integer; got 0/],
    [{ patches: [0, 1.5] }, /rows of the index, 0 to \d+; patches\[1\] is 1.5/],
    [{ patches: [Number.NaN] }, /patches\[0\] is NaN/],
    [{ patches: [-1] }, /patches\[0\] is -1/],
    [{ patches: [] }, /no patches of .* are selected/],
    [{ imageSize: 0 }, /imageSize must be a positive whole number of px/],
    [{ masks: true }, /patch 0 of .* has no mask, but masks were requested/],
    [{ batchSize: 6, patches: [1, 2, 3], key: key(1) }, /3 patches do not fill one batch of 6/],
  ])('refuses %j', (options, message) => {
    expect(() => new BatchSource(dataset, { batchSize: 1, ...options })).toThrow(message);
  });

  it('says so when a shard is shorter than the index, at every try', async () => {
    const other = await compileDataset(await smallDataset(1), { data: temporaryFolder() });
    const short = await openShardDataset(other.folder);
    truncateSync(join(other.folder, short.shardNames[0]!), 5000);
    const before = tf.memory().numTensors;
    for (const memory of [0, undefined]) {
      const source = new BatchSource(short, { batchSize: 4, memory });
      await expect(source.load(1)).rejects.toThrow(/shorter than index.arrow says/);
      await expect(source.load(1)).rejects.toThrow(/shorter than index.arrow says/);
    }
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('classWeights', () => {
  it("are scikit-learn's balanced weights", () => {
    expect([...classWeights([0, 0, 0, 1, -1], 3)]).toEqual([4 / 6, 2, 0].map(Math.fround));
    expect(() => classWeights([3], 3)).toThrow(/label 3 is not one of 3/);
  });
});

/** Of all pixels of some JPEGs, of 0..1, in float64. */
async function statisticsOf(images: readonly Uint8Array[]) {
  const pixels = Buffer.concat(await Promise.all(images.map((image) => sharp(image).raw().toBuffer())));
  return [0, 1, 2].map((channel) => {
    const values = pixels.filter((_, at) => at % 3 === channel);
    const average = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - average) ** 2, 0) / values.length;
    return { average: average / 255, deviation: Math.sqrt(variance) / 255 };
  });
}

describe('colorStatistics', () => {
  it('are the mean and deviation of all pixels', async () => {
    const patches = [0, 5, 9];
    const { mean, std } = await colorStatistics(dataset, { patches, batchSize: 2 });
    const images = (await Promise.all(patches.map((patch) => readEncoded(dataset, [patch])))).map(
      ([one]) => one!.image,
    );
    for (const [channel, { average, deviation }] of (await statisticsOf(images)).entries()) {
      expect(mean[channel]).toBeCloseTo(average, 5);
      expect(std[channel]).toBeCloseTo(deviation, 5);
    }
  });

  it('are so of patches of 512 px, too', async () => {
    const geometry = { micrometers: 200, pixels: 512 };
    const compiled = await compileDataset(await smallDataset(1), { data: temporaryFolder(), geometry });
    const large = await openShardDataset(compiled.folder);
    const { mean, std } = await colorStatistics(large);
    const images = (await readEncoded(large, rows(large.count))).map(({ image }) => image);
    for (const [channel, { average, deviation }] of (await statisticsOf(images)).entries()) {
      expect(mean[channel]).toBeCloseTo(average, 4);
      expect(std[channel]).toBeCloseTo(deviation, 4);
    }
  });
});

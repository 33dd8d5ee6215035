import { copyFileSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { BalancedOrder } from '../../src/datasets/batches/balanced-order.js';
import { chunksOf, SampleOrder, type SampleStream } from '../../src/datasets/batches/sample-order.js';
import {
  type BatchLoader,
  batchesInOrder,
  batchLoader,
  classWeights,
  colorStatistics,
  compileDataset,
  openShardDataset,
  type ShardDataset,
} from '../../src/datasets/index.js';
import { key } from '../../src/runs/index.js';
import { smallDataset, temporaryFolder } from './small-dataset.js';

let folder: string;
let dataset: ShardDataset;
beforeAll(async () => {
  ({ folder } = await compileDataset(await smallDataset(5), { data: temporaryFolder() }));
  dataset = await openShardDataset(folder);
});

const take = async (loader: BatchLoader, batches: number) => {
  const patches: number[] = [];
  for (let batch = 0; batch < batches; batch++) patches.push(...(await loader.next()).patches);
  return patches;
};
const ascending = (patches: Iterable<number>) => [...patches].sort((one, other) => one - other);
const rows = (count: number) => Array.from({ length: count }, (_, row) => row);

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

  it('takes the classes in the order given, and refuses one that is not among them', async () => {
    const classNames = [...dataset.classNames].reverse();
    const other = await openShardDataset(folder, { classNames });
    expect(other.labels[0]).toBe(dataset.labels[0]! < 0 ? -1 : classNames.length - 1 - dataset.labels[0]!);
    await expect(openShardDataset(folder, { classNames: ['nested'] })).rejects.toThrow(
      /of the class "\w+", which is none/,
    );
    await expect(openShardDataset(temporaryFolder())).rejects.toThrow(/no compiled dataset/);
  });

  it.each<[string, string, string, RegExp]>([
    [
      'a report that is cut short',
      'report.json',
      '{',
      /is no compiled dataset \(.*JSON.*\); run "pathlab compile" first/,
    ],
    [
      'the report of a fetch',
      'report.json',
      '{"slides": 3}',
      /is no compiled dataset \(its report\.json is not that of one/,
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

describe('batchLoader', () => {
  it('gives each patch once an epoch, with its bytes and its class', async () => {
    const loader = batchLoader(dataset, { batchSize: 1, key: key('epoch'), bufferSize: 7 });
    expect(loader.stepsPerEpoch).toBe(dataset.count);
    const first = await take(loader, dataset.count);
    const second = await take(loader, dataset.count);
    expect(ascending(first)).toEqual(rows(dataset.count));
    expect(ascending(second)).toEqual(rows(dataset.count));
    expect(second).not.toEqual(first);

    const batch = await batchLoader(dataset, { batchSize: 16, key: key('bytes') }).next();
    const shards = dataset.shardNames.map((name) => readFileSync(join(folder, name)));
    batch.patches.forEach((patch, row) => {
      const at = dataset.image.offset[patch]!;
      const bytes = shards[dataset.shards[patch]!]!.subarray(at, at + dataset.image.length[patch]!);
      expect(Buffer.from(batch.images[row]!).equals(bytes)).toBe(true);
      expect(batch.labels[row]).toBe(dataset.labels[patch]);
      expect(batch.masks[row]).toBeUndefined();
    });
  });

  it('goes on from its state with exactly what would have come', async () => {
    for (const options of [{ bufferSize: 9 }, { bufferSize: 1000 }, { balanced: true, bufferSize: 12 }]) {
      const settings = { batchSize: 3, key: key('resume'), ...options };
      const loader = batchLoader(dataset, settings);
      for (const batches of [0, 1, 10, 11]) {
        await take(loader, batches);
        const saved = JSON.parse(JSON.stringify(loader.state())) as ReturnType<BatchLoader['state']>;
        const resumed = batchLoader(dataset, settings, saved);
        const [one, other] = [await loader.next(), await resumed.next()];
        expect(other.patches).toEqual(one.patches);
        expect(other.images.map((image) => image.length)).toEqual(one.images.map((image) => image.length));
        expect(await take(resumed, 30)).toEqual(await take(loader, 30));
      }
    }
  });

  it('passes over whole epochs as if it had given their samples', () => {
    const shards = Int32Array.from({ length: 100 }, (_, row) => Math.floor(row / 30));
    const labels = Int32Array.from({ length: 100 }, (_, row) => row % 3);
    const chunks = chunksOf(rows(100), shards);
    const worker = (index: number, count: number) => ({ bufferSize: 20, worker: { index, count } });
    const streams: (() => SampleStream)[] = [
      () => new SampleOrder(chunks, { key: key('skip'), ...worker(0, 1) }),
      () => new SampleOrder(chunks, { key: key('skip'), ...worker(1, 2) }),
      () => new SampleOrder(chunks, { key: undefined, ...worker(0, 1) }),
      () =>
        new BalancedOrder({ shards, labels } as ShardDataset, Int32Array.from(rows(100)), {
          key: key('skip'),
          bufferSize: 20,
        }),
    ];
    for (const stream of streams) {
      for (const parts of [[0], [99], [100], [101, 3], [50, 50, 60], [777]]) {
        const [stepped, skipped] = [stream(), stream()];
        for (const part of parts) {
          for (let sample = 0; sample < part; sample++) stepped.next();
          skipped.skip(part);
        }
        const next = (one: SampleStream) => rows(150).map(() => one.next().patch);
        expect(next(skipped)).toEqual(next(stepped));
      }
    }
  });

  it('refuses the state of another order', () => {
    const state = batchLoader(dataset, { batchSize: 4, key: key(1) }).state();
    expect(() => batchLoader(dataset, { batchSize: 4, key: key(2) }, state)).toThrow(/state is of another order/);
    expect(() => batchLoader(dataset, { batchSize: 4, key: key(1), patches: [0, 1, 2, 3] }, state)).toThrow(/another/);
    expect(() => batchLoader(dataset, { batchSize: 8, key: key(1) }, state)).not.toThrow();
  });

  it('divides the patches of an epoch among workers', () => {
    const shards = Int32Array.from({ length: 1000 }, (_, row) => Math.floor(row / 90));
    const chunks = chunksOf(rows(1000), shards);
    const seen = [0, 1, 2].map((index) => {
      const order = new SampleOrder(chunks, { key: key('workers'), bufferSize: 64, worker: { index, count: 3 } });
      // The buffer runs empty where an epoch ends.
      const mine = [order.next().patch];
      while (order.waiting.length > 0) mine.push(order.next().patch);
      return mine;
    });
    expect(ascending(seen.flat())).toEqual(rows(1000));
    const sizes = seen.map((mine) => mine.length);
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(16);
    const worker = { index: 2, count: 2 };
    expect(() => batchLoader(dataset, { batchSize: 1, worker })).toThrow(/index 0 to count - 1/);
  });

  it('mixes slides well: neighbours in the stream are of many', () => {
    // 100 slides of 500 patches; a batch of 256 through the default buffer.
    const shards = Int32Array.from({ length: 50_000 }, (_, row) => Math.floor(row / 500));
    const chunks = chunksOf(rows(50_000), shards);
    const order = new SampleOrder(chunks, { key: key('mix'), bufferSize: 2048, worker: { index: 0, count: 1 } });
    for (let batch = 0; batch < 20; batch++) {
      const slides = new Set(Array.from({ length: 256 }, () => shards[order.next().patch]!));
      // Drawn at random from all, 92 of 100 slides would be expected.
      expect(slides.size).toBeGreaterThan(55);
    }
  });

  it('draws every class equally often when balanced', async () => {
    const labelled = rows(dataset.count).filter((patch) => dataset.labels[patch]! >= 0);
    const [rare] = labelled.filter((patch) => dataset.labels[patch] === 0);
    const patches = labelled.filter((patch) => dataset.labels[patch] !== 0 || patch === rare);
    const loader = batchLoader(dataset, { batchSize: 10, key: key('balance'), balanced: true, patches });
    const counts = new Array<number>(dataset.classNames.length).fill(0);
    for (let batch = 0; batch < 100; batch++) for (const label of (await loader.next()).labels) counts[label]!++;
    for (const count of counts) expect(Math.abs(count - 1000 / counts.length)).toBeLessThan(60);
    expect(() => batchLoader(dataset, { batchSize: 1, balanced: true })).toThrow(/give it a key/);
  });

  it('keeps the order of the index without a key, and of some patches when asked', async () => {
    const patches = [2, 3, 8, 20, 21];
    expect(await take(batchLoader(dataset, { batchSize: 2, patches }), 5)).toEqual([...patches, ...patches]);
    const batches = [];
    for await (const batch of batchesInOrder(dataset, { batchSize: 2, patches })) batches.push([...batch.patches]);
    expect(batches).toEqual([[2, 3], [8, 20], [21]]);
    expect(() => batchLoader(dataset, { batchSize: 2, patches: [3, 2] })).toThrow(/ascending; number 1 of them is 2/);
    expect(() => batchLoader(dataset, { batchSize: 2, patches: [dataset.count] })).toThrow(/rows of the index/);
    for (const none of [1.5, Number.NaN, -1, '1' as unknown as number]) {
      const message = `rows of the index, 0 to ${dataset.count - 1}; number 1 of them is ${none}`;
      expect(() => batchLoader(dataset, { batchSize: 1, patches: [0, none] })).toThrow(message);
      await expect(batchesInOrder(dataset, { batchSize: 1, patches: [0, none] }).next()).rejects.toThrow(message);
    }
    await expect(batchesInOrder(dataset, { batchSize: 0 }).next()).rejects.toThrow(
      /batchSize is a whole number above 0/,
    );
    expect(() => batchLoader(dataset, { batchSize: 6, patches })).toThrow(/5 patches do not fill one batch of 6/);
  });

  it('says so when a shard is shorter than the index', async () => {
    const other = await compileDataset(await smallDataset(1), { data: temporaryFolder() });
    const short = await openShardDataset(other.folder);
    truncateSync(join(other.folder, short.shardNames[0]!), 5000);
    await expect(take(batchLoader(short, { batchSize: 4 }), 2)).rejects.toThrow(/shorter than index.arrow says/);
  });
});

describe('classWeights', () => {
  it("are scikit-learn's balanced weights", () => {
    expect([...classWeights([0, 0, 0, 1, -1], 3)]).toEqual([4 / 6, 2, 0].map(Math.fround));
    expect(() => classWeights([3], 3)).toThrow(/label 3 is none of 3/);
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
    const { images } = (await batchesInOrder(dataset, { batchSize: 3, patches }).next()).value!;
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
    const { images } = (await batchesInOrder(large, { batchSize: large.count }).next()).value!;
    for (const [channel, { average, deviation }] of (await statisticsOf(images)).entries()) {
      expect(mean[channel]).toBeCloseTo(average, 4);
      expect(std[channel]).toBeCloseTo(deviation, 4);
    }
  });
});

import { canonicalJson, type Key, sha256 } from '../../runs/index.js';
import { BalancedOrder } from './balanced-order.js';
import { type EncodedPatch, readEncoded } from './read-patches.js';
import { chunksOf, leastPatches, type Sample, SampleOrder, type SampleStream, type Visit } from './sample-order.js';
import type { ShardDataset } from './shard-dataset.js';

export interface BatchLoaderOptions {
  batchSize: number;
  /** Seeds the order; undefined keeps the index's order. */
  key?: Key;
  /** Rows of the index to take, ascending; by default all. */
  patches?: ArrayLike<number>;
  /**
   * Patches that wait in memory, encoded, to be drawn from: at about 100 KB each. More mix better. 2,048 by default, or
   * two batches without a key.
   */
  bufferSize?: number;
  /** Which of several workers this is: they share the patches of an epoch. */
  worker?: { index: number; count: number };
  /**
   * Draws every class equally often, rare ones again and again; patches without a class are left out. Workers draw each
   * for itself, from all patches.
   */
  balanced?: boolean;
}

/** A batch as it comes from the shards. Row `i` of every list belongs to one patch. */
export interface EncodedBatch {
  /** JPEGs. */
  images: Uint8Array[];
  /** PNGs; undefined where a patch has none. */
  masks: (Uint8Array | undefined)[];
  /** Classes, places in the dataset's `classNames`; -1 for none. */
  labels: Int32Array;
  /** Rows of the index, which knows the rest: slide, patient, site, x, y, scores. */
  patches: Int32Array;
}

/** Where a loader stands: JSON for a checkpoint. */
export interface LoaderState {
  /** Patches handed out since the beginning. */
  taken: number;
  /** Hash of all that decides the order. */
  order: string;
}

/**
 * Batches of encoded patches, epoch after epoch without an end. What does not fill a batch at an epoch's end begins the
 * next one's first batch.
 */
export interface BatchLoader {
  /** Whole batches in an epoch of every worker; of several, those that each has for certain. */
  readonly stepsPerEpoch: number;
  next(): Promise<EncodedBatch>;
  state(): LoaderState;
}

/**
 * Streams a compiled dataset.
 *
 * @param state where to go on from; the loader then gives exactly what would have come
 * @throws RangeError for options that give no batch; Error when the state is another order's
 */
export function batchLoader(dataset: ShardDataset, options: BatchLoaderOptions, state?: LoaderState): BatchLoader {
  const { batchSize, key, worker = { index: 0, count: 1 }, balanced = false } = options;
  const { bufferSize = key ? 2048 : 2 * batchSize } = options;
  const whole = (value: number, least: number) => Number.isSafeInteger(value) && value >= least;
  checkBatchSize(batchSize);
  if (!whole(bufferSize, 1)) throw new RangeError(`bufferSize is a whole number above 0; got ${bufferSize}`);
  if (!(whole(worker.count, 1) && whole(worker.index, 0) && worker.index < worker.count)) {
    throw new RangeError(`worker is index 0 to count - 1 of count; got ${JSON.stringify(worker)}`);
  }
  if (balanced && !key) throw new RangeError('balanced sampling draws at random: give it a key');
  const all = rowsOf(dataset, options.patches);
  const unordered = all.findIndex((patch, place) => place > 0 && patch <= all[place - 1]!);
  if (unordered >= 0) {
    throw new RangeError(`patches are rows of the index, ascending; number ${unordered} of them is ${all[unordered]}`);
  }
  const patches = balanced ? all.filter((patch) => dataset.labels[patch]! >= 0) : all;
  const stepsPerEpoch = Math.floor(leastPatches(patches.length, worker.count) / batchSize);
  if (stepsPerEpoch === 0) {
    throw new RangeError(
      `${patches.length} patches${worker.count > 1 ? ` among ${worker.count} workers` : ''} do not fill one batch of ` +
        `${batchSize}; take a smaller batch or more data`,
    );
  }
  const order = sha256(
    canonicalJson({
      index: dataset.indexSha256,
      patches: sha256(new Uint8Array(patches.buffer)),
      key: key?.toString() ?? null,
      bufferSize,
      worker,
      balanced,
    }),
  );
  if (state && state.order !== order) {
    throw new Error(
      'the loader state is of another order: the shards, the split, the key, the buffer, the workers or the balance ' +
        'have changed since it was saved',
    );
  }
  const stream: SampleStream = balanced
    ? new BalancedOrder(dataset, patches, { key: key!.fold('worker').fold(worker.index), bufferSize })
    : new SampleOrder(chunksOf(patches, dataset.shards), { key, bufferSize, worker });
  const taken = state?.taken ?? 0;
  stream.skip(taken);
  return new Loader(dataset, stream, { batchSize, stepsPerEpoch, order, taken });
}

function checkBatchSize(batchSize: number): void {
  if (Number.isSafeInteger(batchSize) && batchSize > 0) return;
  throw new RangeError(`batchSize is a whole number above 0; got ${batchSize}`);
}

/** Rows of the index, all where none are given; checked before they become whole numbers, which would hide what is none. */
function rowsOf({ count }: ShardDataset, patches: ArrayLike<number> | undefined): Int32Array {
  if (!patches) return Int32Array.from({ length: count }, (_, row) => row);
  return Int32Array.from(patches, (row, place) => {
    if (Number.isInteger(row) && row >= 0 && row < count) return row;
    throw new RangeError(`patches are rows of the index, 0 to ${count - 1}; number ${place} of them is ${row}`);
  });
}

class Loader implements BatchLoader {
  readonly stepsPerEpoch: number;
  private readonly batchSize: number;
  private readonly order: string;
  private taken: number;
  private readonly reads = new WeakMap<Visit, Promise<(EncodedPatch | undefined)[]>>();

  constructor(
    private readonly dataset: ShardDataset,
    private readonly stream: SampleStream,
    {
      batchSize,
      stepsPerEpoch,
      order,
      taken,
    }: { batchSize: number; stepsPerEpoch: number; order: string; taken: number },
  ) {
    this.batchSize = batchSize;
    this.stepsPerEpoch = stepsPerEpoch;
    this.order = order;
    this.taken = taken;
  }

  async next(): Promise<EncodedBatch> {
    const samples: Sample[] = [];
    const reads: Promise<EncodedPatch>[] = [];
    for (let row = 0; row < this.batchSize; row++) {
      const sample = this.stream.next();
      samples.push(sample);
      reads.push(this.take(sample));
    }
    this.taken += this.batchSize;
    this.readAhead();
    const patches = await Promise.all(reads);
    return {
      images: patches.map(({ image }) => image),
      masks: patches.map(({ mask }) => mask),
      labels: Int32Array.from(samples, ({ patch }) => this.dataset.labels[patch]!),
      patches: Int32Array.from(samples, ({ patch }) => patch),
    };
  }

  state(): LoaderState {
    return { taken: this.taken, order: this.order };
  }

  /** Begins to read what waits in the buffer. */
  private readAhead(): void {
    for (const { visit } of this.stream.waiting) this.read(visit);
  }

  private read(visit: Visit): Promise<(EncodedPatch | undefined)[]> {
    let read = this.reads.get(visit);
    if (!read) {
      read = readEncoded(this.dataset, visit.chunk);
      // It is thrown to the batch that needs it.
      read.catch(() => {});
      this.reads.set(visit, read);
    }
    return read;
  }

  private async take({ visit, place }: Sample): Promise<EncodedPatch> {
    const patches = await this.read(visit);
    const patch = patches[place]!;
    // What has come out leaves memory though its chunk stays.
    patches[place] = undefined;
    return patch;
  }
}

/**
 * Patches in the order given, batch by batch, the last as short as it comes: for evaluation.
 *
 * @param patches rows of the index, by default all
 * @throws RangeError for a batch size or rows that are none
 */
export async function* batchesInOrder(
  dataset: ShardDataset,
  { batchSize, patches }: { batchSize: number; patches?: ArrayLike<number> },
): AsyncGenerator<EncodedBatch> {
  checkBatchSize(batchSize);
  const all = rowsOf(dataset, patches);
  for (let first = 0; first < all.length; first += batchSize) {
    const rows = all.slice(first, first + batchSize);
    const read = (await Promise.all(chunksOf(rows, dataset.shards).map((chunk) => readEncoded(dataset, chunk)))).flat();
    yield {
      images: read.map(({ image }) => image),
      masks: read.map(({ mask }) => mask),
      labels: rows.map((patch) => dataset.labels[patch]!),
      patches: rows,
    };
  }
}

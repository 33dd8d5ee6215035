import { integersOf } from '../augment/index.js';
import { canonicalJson, type Key, sha256 } from '../base/index.js';
import type { ShardDataset } from '../datasets/index.js';
import { disposeTensors, getTensor, mapTensors, type Tensor, type Tensors, tf, uploadBytes } from '../engine/index.js';
import { ChunkReader } from './chunk-reader.js';
import { DecodedPatches } from './decoded-patches.js';
import { type Decoded, decodeEncoded, uploadEncoded } from './encoded.js';
import { balancedEpochOrder, type ChunkStarts, chunkStarts, epochOrder } from './epoch-order.js';

export interface BatchSourceOptions {
  /** Patches of a batch, of all replicas together. */
  batchSize: number;
  /** Rows of the index to take; by default all. */
  patches?: ArrayLike<number>;
  /** Draws a new order for every epoch. Without it the patches come in the order given. */
  key?: Key;
  /** Draws every class equally often, rare ones again and again. Patches without a class are left out. Takes a key. */
  balanced?: boolean;
  /**
   * The least side that images are wanted at, px. Larger JPEGs are decoded at a half, a quarter or an eighth of their size
   * where that is at least this much: cheaper, and what averaging squares of pixels would leave. Masks follow: a px takes
   * the class at its center, where whole px come of it. By default they are decoded whole.
   */
  imageSize?: number;
  /** Gives masks too; of patches that have one each. */
  masks?: boolean;
  /** Patches that wait to be drawn from, encoded, at about 100 KB each. More mix better. */
  bufferSize?: number;
  /** Images are held in memory, decoded, where all together take no more bytes than this. 512 MiB by default. */
  memory?: number;
  /**
   * Which part of every batch is loaded here: the `index`-th of `count` equal ones. It decides nothing else, so that a
   * training may go on with another number of replicas.
   */
  replica?: { index: number; count: number };
}

/** Batches whose reading is begun ahead of the one that is wanted. */
const batchesReadAhead = 2;

/**
 * Patches of a compiled dataset in batches, for training, monitors, features and fine-tuning. A batch depends only on
 * its step number, so that a resumed run sees the same batches. The incomplete last batch of an epoch is filled from
 * the next epoch.
 *
 * Small sets are decoded once and held in memory, others are read from their shards as they are needed. The batches are the
 * same, bit for bit.
 */
export class BatchSource {
  /** Patches of a batch, of all replicas together. */
  readonly batchSize: number;
  readonly replica: Readonly<{ index: number; count: number }>;
  /** Number of patches, those of one epoch. */
  readonly count: number;
  /** Whole batches in an epoch. */
  readonly stepsPerEpoch: number;
  /** Side of the images that `decode` gives, px. */
  readonly size: number;
  /** Class of each patch, a place in the dataset's `classNames`; -1 for none. In the order of `rows`. */
  readonly labels: Int32Array;
  /** Rows of the index. */
  readonly rows: Int32Array;
  /** Hash of everything that decides the batches. */
  readonly identity: string;
  /** Patches of a batch that are loaded here. */
  private readonly ownBatchSize: number;
  private readonly starts: ChunkStarts;
  private readonly bufferSize: number;
  private readonly ratio: 1 | 2 | 4 | 8;
  private readonly reader: ChunkReader;
  private readonly held: DecodedPatches | undefined;
  private readonly classes: { places: Int32Array[]; starts: ChunkStarts[] } | undefined;
  private readonly epochs = new Map<number, Int32Array>();
  private nextStep = 0;

  constructor(
    readonly dataset: ShardDataset,
    private readonly options: BatchSourceOptions,
  ) {
    const { batchSize, key, balanced = false, masks = false, memory = 2 ** 29 } = options;
    const all = rowsOf(dataset, options.patches);
    this.rows = balanced ? all.filter((row) => dataset.labels[row]! >= 0) : all;
    this.bufferSize = options.bufferSize ?? 2048;
    checkOptions(options, this.bufferSize);
    this.batchSize = batchSize;
    this.replica = options.replica ?? { index: 0, count: 1 };
    this.ownBatchSize = batchSize / this.replica.count;
    this.count = this.rows.length;
    this.stepsPerEpoch = Math.floor(this.count / batchSize);
    if (key && this.stepsPerEpoch === 0) {
      throw new RangeError(
        `${this.count} patches do not fill one batch of ${batchSize}; use a smaller batch or more data`,
      );
    }
    if (this.count === 0) throw new RangeError(`no patches of ${dataset.folder} are selected`);
    // A PNG is decoded whole.
    const isPng = 'lossless' in dataset.report.settings;
    const ratio = isPng ? 1 : ratioFor(dataset.size, options.imageSize ?? dataset.size);
    this.ratio = masks ? ([8, 4, 2, 1] as const).find((one) => one <= ratio && dataset.size % one === 0)! : ratio;
    if (masks) checkMasks(dataset, this.rows);
    this.size = Math.ceil(dataset.size / this.ratio);
    this.labels = this.rows.map((row) => dataset.labels[row]!);
    this.starts = chunkStarts(this.rows.map((row) => dataset.shards[row]!));
    this.reader = new ChunkReader(dataset, this.rows, this.starts);
    const bytes = this.count * this.size ** 2 * (masks ? 4 : 3);
    if (bytes <= memory) this.held = new DecodedPatches(this.reader, this.count, this.encoding);
    if (balanced) this.classes = classesOf(this.labels, this.rows, dataset);
    this.identity = sha256(
      canonicalJson({
        index: dataset.indexSha256,
        rows: sha256(new Uint8Array(this.rows.buffer)),
        key: key?.toString() ?? null,
        ...{ batchSize, balanced, masks, bufferSize: this.bufferSize, size: this.size },
      }),
    );
  }

  /** Whether patches come in an order that is drawn, and not in that of `rows`. */
  get shuffled(): boolean {
    return this.options.key !== undefined;
  }

  /** Where the images are, in words, for logs and pages. */
  get storage(): string {
    const what = `${this.count} patches of ${this.size} px`;
    const mebibytes = Math.ceil((this.count * this.size ** 2 * 3) / 2 ** 20);
    return this.held ? `${what}, decoded in memory (${mebibytes} MiB)` : `${what}, read from shards as they are needed`;
  }

  /** The patches of a step's batch that are loaded here: rows of the index, which knows slide, patient, site and place. */
  patchesOf(step: number): Int32Array {
    return this.placesOf(step).map((place) => this.rows[place]!);
  }

  /** What the host makes of a step's batch; the caller disposes of it. Without a key, the last batch is filled up. */
  async load(step: number): Promise<Tensors> {
    const places = this.placesOf(step);
    const labels = () =>
      tf.tensor1d(
        places.map((place) => this.labels[place]!),
        'int32',
      );
    if (this.held) {
      const { images, masks } = await this.held.gather(places);
      const shape = [this.ownBatchSize, this.size, this.size];
      return {
        labels: labels(),
        images: uploadBytes(images, [...shape, 3]),
        ...(masks && { masks: uploadBytes(masks, shape) }),
      };
    }
    if (step !== this.nextStep) this.reader.clear();
    this.nextStep = step + 1;
    const reads = Array.from(places, (place) => this.reader.take(place));
    for (let ahead = 1; ahead <= batchesReadAhead; ahead++) this.reader.prefetch(this.placesOf(step + ahead));
    const patches = await Promise.all(reads);
    return { labels: labels(), ...uploadEncoded(patches, this.encoding) };
  }

  /** The rows of a whole batch that belong to the patches that are loaded here; the given tensors are disposed of. */
  ownRows(whole: Tensors): Tensors {
    if (this.replica.count === 1) return whole;
    const first = this.replica.index * this.ownBatchSize;
    const own = mapTensors(whole, (tensor) => tensor.slice([first], [this.ownBatchSize]));
    disposeTensors(whole);
    return own;
  }

  /**
   * The device's part of a batch, in TensorFlow ops only: call it in a compiled step.
   *
   * @param loaded what `load` gave, or a part of it
   * @returns `images`, bytes `[batch, size, size, 3]`; `labels`, int32 `[batch]`, -1 for none; `masks`, int32
   *   `[batch, size, size]` of class numbers, where they are asked for
   */
  decode(loaded: Tensors): Decoded & { labels: Tensor } {
    const { images, masks } = loaded;
    const labels = getTensor(loaded, 'labels');
    if (!images) return { labels, ...decodeEncoded(loaded, this.encoding) };
    return { images, labels, ...(masks && { masks: integersOf(masks) }) };
  }

  /** Sources with the same one decode their batches alike. */
  get encodingKey(): string {
    return canonicalJson(this.encoding);
  }

  private get encoding() {
    return { size: this.dataset.size, ratio: this.ratio, masks: this.options.masks ?? false };
  }

  /** Places in `rows` of a step's patches that are loaded here. */
  private placesOf(step: number): Int32Array {
    const first = step * this.batchSize + this.replica.index * this.ownBatchSize;
    return Int32Array.from({ length: this.ownBatchSize }, (_, row) => {
      const place = first + row;
      const inEpoch = place % this.count;
      return this.options.key ? this.epoch(Math.floor(place / this.count))[inEpoch]! : inEpoch;
    });
  }

  private epoch(number: number): Int32Array {
    let order = this.epochs.get(number);
    if (!order) {
      const key = this.options.key!.fold('epoch').fold(number);
      order = this.classes
        ? balancedEpochOrder(this.classes.places, this.classes.starts, {
            ...{ key, bufferSize: this.bufferSize, length: this.count },
          })
        : epochOrder(this.starts, { key, bufferSize: this.bufferSize });
      // A batch lies in two epochs at the most, and the next ones are read ahead.
      for (const other of this.epochs.keys()) if (Math.abs(other - number) > 1) this.epochs.delete(other);
      this.epochs.set(number, order);
    }
    return order;
  }
}

/** The strongest reduction of a JPEG that leaves the wanted side. */
function ratioFor(size: number, wanted: number): 1 | 2 | 4 | 8 {
  return ([8, 4, 2] as const).find((ratio) => size / ratio >= wanted) ?? 1;
}

/** Rows of the index, all where none are given; checked before they become whole numbers, which would hide what is none. */
function rowsOf({ count }: ShardDataset, patches: ArrayLike<number> | undefined): Int32Array {
  if (!patches) return Int32Array.from({ length: count }, (_, row) => row);
  return Int32Array.from(patches, (row, place) => {
    if (Number.isInteger(row) && row >= 0 && row < count) return row;
    throw new RangeError(`patches must be rows of the index, 0 to ${count - 1}; patches[${place}] is ${row}`);
  });
}

function checkOptions({ batchSize, key, balanced, imageSize, replica }: BatchSourceOptions, bufferSize: number): void {
  const whole = (value: number, least: number) => Number.isSafeInteger(value) && value >= least;
  if (!whole(batchSize, 1)) throw new RangeError(`batchSize must be a positive integer; got ${batchSize}`);
  if (!whole(bufferSize, 1)) throw new RangeError(`bufferSize must be a positive integer; got ${bufferSize}`);
  if (imageSize !== undefined && !whole(imageSize, 1)) {
    throw new RangeError(`imageSize must be a positive whole number of px; got ${imageSize}`);
  }
  if (replica && !(whole(replica.count, 1) && whole(replica.index, 0) && replica.index < replica.count)) {
    throw new RangeError(`replica is index 0 to count - 1 of count; got ${JSON.stringify(replica)}`);
  }
  if (replica && batchSize % replica.count !== 0) {
    throw new RangeError(`a batch of ${batchSize} cannot be divided among ${replica.count} replicas`);
  }
  if (balanced && !key) throw new RangeError('balanced sampling draws at random: give it a key');
}

function checkMasks({ mask, folder }: ShardDataset, rows: Int32Array): void {
  const without = rows.find((row) => mask.length[row] === 0);
  if (without !== undefined)
    throw new RangeError(`patch ${without} of ${folder} has no mask, but masks were requested`);
}

/** The places of each class that there is, and their chunks. */
function classesOf(labels: Int32Array, rows: Int32Array, { shards }: ShardDataset) {
  const byClass = new Map<number, number[]>();
  for (const [place, label] of labels.entries()) {
    const own = byClass.get(label);
    if (own) own.push(place);
    else byClass.set(label, [place]);
  }
  const places = [...byClass].sort(([one], [other]) => one - other).map(([, own]) => Int32Array.from(own));
  return { places, starts: places.map((own) => chunkStarts(own.map((place) => shards[rows[place]!]!))) };
}

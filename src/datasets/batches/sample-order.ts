import type { Generator, Key } from '../../runs/index.js';

/** Patches of one shard that are read in one go; small, so that a buffer holds patches of many slides. */
const chunkPatches = 16;

/** Some patches of one shard, in its order: rows of the index. */
export type Chunk = Int32Array;

/** Cuts patches into chunks. `patches` are in the index's order, so that those of a shard follow one another. */
export function chunksOf(patches: ArrayLike<number>, shards: Int32Array): Chunk[] {
  const chunks: Chunk[] = [];
  for (let first = 0, end = 1; first < patches.length; first = end++) {
    const shard = shards[patches[first]!];
    while (end < patches.length && end - first < chunkPatches && shards[patches[end]!] === shard) end++;
    chunks.push(Int32Array.from({ length: end - first }, (_, place) => patches[first + place]!));
  }
  return chunks;
}

/** A chunk on its way out; the same chunk in the next epoch is another visit. */
export interface Visit {
  chunk: Chunk;
}

/** A patch on its way out, with what it is read with. */
export interface Sample {
  patch: number;
  visit: Visit;
  /** Its place in the chunk. */
  place: number;
}

/** An endless row of samples. */
export interface SampleStream {
  next(): Sample;
  /** Passes over so many samples. */
  skip(samples: number): void;
  /** What waits to be drawn from: what will come out soon. */
  readonly waiting: readonly Sample[];
}

export interface SampleOrderOptions {
  /** Undefined: in the index's order, epoch after epoch. */
  key: Key | undefined;
  /** Patches that wait to be drawn from. */
  bufferSize: number;
  /** Which part of the patches this worker takes. */
  worker: { index: number; count: number };
}

/**
 * The endless order in which one worker sees patches: in each epoch the chunks in a new order, dealt among the workers,
 * and through a buffer that patches are drawn from at random. The order comes from the key alone; nothing is read here.
 *
 * In an epoch each worker sees each of its patches once, no patch is seen by two, and two workers' numbers of patches
 * differ by at most a chunk.
 */
export class SampleOrder implements SampleStream {
  private epoch = -1;
  private incoming: Chunk[] = [];
  private draw: Generator | undefined;
  private readonly buffer: Sample[] = [];

  constructor(
    private readonly chunks: readonly Chunk[],
    private readonly options: SampleOrderOptions,
  ) {}

  get waiting(): readonly Sample[] {
    return this.buffer;
  }

  next(): Sample {
    this.fill();
    if (this.buffer.length === 0) {
      this.beginEpoch();
      this.fill();
    }
    if (!this.draw) return this.buffer.shift()!;
    const place = this.draw.integer(this.buffer.length);
    const drawn = this.buffer[place]!;
    // The last takes the drawn one's place, so that drawing costs the same whatever the buffer's size.
    const last = this.buffer.pop()!;
    if (place < this.buffer.length) this.buffer[place] = last;
    return drawn;
  }

  skip(samples: number): void {
    for (let left = samples; left > 0; ) {
      if (this.buffer.length === 0 && this.incoming.length === 0) {
        this.beginEpoch();
        const patches = this.incoming.reduce((sum, { length }) => sum + length, 0);
        // A whole epoch: the next one depends on the key alone.
        if (patches <= left) {
          this.incoming = [];
          left -= patches;
          continue;
        }
      }
      this.next();
      left--;
    }
  }

  private fill(): void {
    while (this.buffer.length < this.options.bufferSize && this.incoming.length > 0) {
      const visit: Visit = { chunk: this.incoming.pop()! };
      visit.chunk.forEach((patch, place) => {
        this.buffer.push({ patch, visit, place });
      });
    }
  }

  private beginEpoch(): void {
    this.epoch++;
    const key = this.options.key?.fold('epoch').fold(this.epoch);
    this.draw = key?.fold('draw').generator();
    const order = Array.from(this.chunks);
    key?.fold('chunks').generator().shuffle(order);
    this.incoming = deal(order, this.options.worker).reverse();
  }
}

/** Each chunk to the worker that has the fewest patches so far; returns one worker's. */
function deal(chunks: readonly Chunk[], { index, count }: { index: number; count: number }): Chunk[] {
  if (count === 1) return [...chunks];
  const patches = new Array<number>(count).fill(0);
  return chunks.filter((chunk) => {
    const worker = patches.indexOf(Math.min(...patches));
    patches[worker]! += chunk.length;
    return worker === index;
  });
}

/** The least number of patches that a worker has in an epoch. */
export function leastPatches(total: number, workers: number): number {
  return workers === 1 ? total : Math.max(0, Math.floor(total / workers) - chunkPatches);
}

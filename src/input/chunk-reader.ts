import { type EncodedPatch, readEncoded, type ShardDataset } from '../datasets/index.js';
import type { ChunkStarts } from './epoch-order.js';

interface ReadChunk {
  patches: Promise<(EncodedPatch | undefined)[]>;
  /** Patches that nobody has taken yet. */
  left: number;
}

/** Reads encoded patches, a chunk in one go; a patch stays in memory until it is taken. */
export class ChunkReader {
  private readonly chunks = new Map<number, ReadChunk>();

  /** @param rows of the index, place by place */
  constructor(
    private readonly dataset: ShardDataset,
    private readonly rows: Int32Array,
    private readonly starts: ChunkStarts,
  ) {}

  /** Begins to read what will be taken. */
  prefetch(places: ArrayLike<number>): void {
    for (let index = 0; index < places.length; index++) this.chunk(this.chunkOf(places[index]!));
  }

  async take(place: number): Promise<EncodedPatch> {
    const number = this.chunkOf(place);
    const chunk = this.chunk(number);
    const patches = await chunk.patches;
    const at = place - this.starts[number]!;
    const patch = patches[at];
    if (patch === undefined) {
      // It was taken before, in an order that went on elsewhere.
      if (this.chunks.get(number) === chunk) this.chunks.delete(number);
      return this.take(place);
    }
    patches[at] = undefined;
    chunk.left--;
    if (chunk.left === 0 && this.chunks.get(number) === chunk) this.chunks.delete(number);
    return patch;
  }

  /** Drops what was read. */
  clear(): void {
    this.chunks.clear();
  }

  private chunk(number: number): ReadChunk {
    let chunk = this.chunks.get(number);
    if (!chunk) {
      const rows = this.rows.subarray(this.starts[number]!, this.starts[number + 1]!);
      const patches: Promise<(EncodedPatch | undefined)[]> = readEncoded(this.dataset, rows);
      chunk = { patches, left: rows.length };
      this.chunks.set(number, chunk);
      // Who takes the patch gets the error; the next try reads again.
      patches.catch(() => this.chunks.delete(number));
    }
    return chunk;
  }

  /** The chunk that holds a place, by bisection. */
  private chunkOf(place: number): number {
    let [low, high] = [0, this.starts.length - 2];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.starts[middle]! <= place) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

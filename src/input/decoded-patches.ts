import { integersOf } from '../augment/index.js';
import { compile, disposeTensors, type Tensors } from '../engine/index.js';
import type { ChunkReader } from './chunk-reader.js';
import { decodeEncoded, type Encoding, uploadEncoded } from './encoded.js';

/** Decoded at a time; the host reads them as whole numbers, which take four bytes each. */
const batchSize = 16;

/** Bytes of images, `[patches, size, size, 3]`, and of masks, `[patches, size, size]`. */
interface DecodedBytes {
  images: Uint8Array;
  masks?: Uint8Array;
}

/** A set of patches, decoded when the first batch is wanted and held in memory from then on. */
export class DecodedPatches {
  private all: Promise<DecodedBytes> | undefined;

  constructor(
    private readonly reader: ChunkReader,
    private readonly count: number,
    private readonly encoding: Encoding,
  ) {}

  /** Those of some places, in their order. */
  async gather(places: Int32Array): Promise<DecodedBytes> {
    this.all ??= this.decodeAll().catch((error: unknown) => {
      this.all = undefined;
      throw error;
    });
    const { images, masks } = await this.all;
    const pick = (all: Uint8Array) => {
      const each = all.length / this.count;
      const picked = new Uint8Array(places.length * each);
      places.forEach((place, row) => {
        picked.set(all.subarray(place * each, (place + 1) * each), row * each);
      });
      return picked;
    };
    return { images: pick(images), ...(masks && { masks: pick(masks) }) };
  }

  private async decodeAll(): Promise<DecodedBytes> {
    const { encoding, count } = this;
    const decode = compile(function decodePatches(encoded: Tensors) {
      const { images, masks } = decodeEncoded(encoded, encoding);
      return { images: integersOf(images), ...(masks && { masks }) };
    });
    let all: DecodedBytes | undefined;
    try {
      const batch = Math.min(batchSize, count);
      for (let first = 0; first < count; first += batch) {
        const places = Array.from({ length: Math.min(batch, count - first) }, (_, row) => first + row);
        const patches = await Promise.all(places.map((place) => this.reader.take(place)));
        // The last batch is filled up: one recording serves all.
        const filled = Array.from({ length: batch }, (_, row) => patches[row] ?? patches[0]!);
        const encoded = uploadEncoded(filled, encoding);
        const { images, masks } = await decode(encoded).finally(() => disposeTensors(encoded));
        const each = images.size / batch;
        all ??= {
          images: new Uint8Array(count * each),
          ...(masks && { masks: new Uint8Array((count * each) / 3) }),
        };
        all.images.set((await images.data()).subarray(0, places.length * each), first * each);
        if (masks) all.masks!.set((await masks.data()).subarray(0, (places.length * each) / 3), (first * each) / 3);
        disposeTensors({ images, ...(masks && { masks }) });
      }
    } finally {
      decode.dispose();
    }
    return all!;
  }
}

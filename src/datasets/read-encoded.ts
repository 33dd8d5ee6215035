import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { ShardDataset } from './shard-dataset.js';

/** An encoded patch from a shard. */
export interface EncodedPatch {
  /** JPEG, or PNG. */
  image: Uint8Array;
  /** PNG; undefined where the patch has none. */
  mask: Uint8Array | undefined;
}

/**
 * Reads some patches of one shard; adjacent ones in one read.
 *
 * @param patches rows of the index, all of one shard
 * @returns each in its own buffer
 * @throws Error when the shard is missing, shorter than in the index, or does not match it
 */
export async function readEncoded(dataset: ShardDataset, patches: ArrayLike<number>): Promise<EncodedPatch[]> {
  const path = join(dataset.folder, dataset.shardNames[dataset.shards[patches[0]!]!]!);
  const { image, mask } = dataset;
  const endOf = (patch: number) =>
    Math.max(image.offset[patch]! + image.length[patch]!, mask.offset[patch]! + mask.length[patch]!);
  const found: EncodedPatch[] = [];
  const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    throw new Error(`${path} is missing, but index.arrow has patches of it; compile it again`);
  });
  try {
    for (let first = 0, end = 1; first < patches.length; first = end++) {
      while (end < patches.length && patches[end] === patches[end - 1]! + 1) end++;
      const from = image.offset[patches[first]!]!;
      const bytes = new Uint8Array(endOf(patches[end - 1]!) - from);
      const { bytesRead } = await file.read(bytes, 0, bytes.length, from);
      if (bytesRead < bytes.length) throw new Error(`${path} is shorter than index.arrow says; compile it again`);
      // Copies: views would keep the whole read in memory.
      const part = (offset: number, length: number) => bytes.slice(offset - from, offset - from + length);
      for (let place = first; place < end; place++) {
        const patch = patches[place]!;
        const encoded = part(image.offset[patch]!, image.length[patch]!);
        // Every JPEG (ITU-T T.81, B.1.1.3) and PNG begins so; a recompiled shard has something else there.
        if (!['ffd8', '8950'].includes(Buffer.from(encoded.subarray(0, 2)).toString('hex'))) {
          throw new Error(`${path} does not match index.arrow: open the dataset again, or compile it`);
        }
        found.push({
          image: encoded,
          mask: mask.length[patch]! > 0 ? part(mask.offset[patch]!, mask.length[patch]!) : undefined,
        });
      }
    }
    return found;
  } finally {
    await file.close();
  }
}

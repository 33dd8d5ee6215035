import type { Generator, Key } from '../base/index.js';

/** Patches of one shard that are read in one go; few, so that patches of many slides are in memory at a time. */
const chunkPatches = 16;

/** A list of patches cut into chunks that are read in one go: chunk `c` holds the places `starts[c]` to `starts[c + 1]`. */
export type ChunkStarts = Int32Array;

/**
 * Cuts a list of patches where a shard ends, and after every 16.
 *
 * @param shards the shard of each place of the list
 */
export function chunkStarts(shards: ArrayLike<number>): ChunkStarts {
  const starts: number[] = [];
  for (let place = 0; place < shards.length; place++) {
    const first = starts.at(-1);
    const begins = first === undefined || shards[place] !== shards[first] || place - first === chunkPatches;
    if (begins) starts.push(place);
  }
  return Int32Array.from([...starts, shards.length]);
}

/**
 * The order in which an epoch sees patches: chunks in a random order go through a buffer, from which patches are drawn at
 * random. Reading stays local, and patches of many slides are mixed. The order depends only on the key.
 *
 * @param bufferSize patches that wait to be drawn from; more mix better
 * @returns every place once
 */
export function epochOrder(starts: ChunkStarts, { key, bufferSize }: { key: Key; bufferSize: number }): Int32Array {
  const chunks = Int32Array.from({ length: starts.length - 1 }, (_, chunk) => chunk);
  key.fold('chunks').generator().shuffle(chunks);
  const draw = key.fold('draw').generator();
  const order = new Int32Array(starts.at(-1)!);
  const buffer = new Int32Array(bufferSize + chunkPatches);
  let waiting = 0;
  let next = 0;
  for (let drawn = 0; drawn < order.length; drawn++) {
    while (waiting < bufferSize && next < chunks.length) {
      const chunk = chunks[next++]!;
      for (let place = starts[chunk]!; place < starts[chunk + 1]!; place++) buffer[waiting++] = place;
    }
    const at = draw.integer(waiting);
    order[drawn] = buffer[at]!;
    buffer[at] = buffer[--waiting]!;
  }
  return order;
}

/**
 * The order of an epoch in which every class is drawn equally often: a class at random, and then the next patch of that
 * class, in a random order that begins anew when all of it was seen.
 *
 * @param classes the list's places, class by class
 * @param starts of each class, the chunks of its places
 * @param length patches in the epoch
 */
export function balancedEpochOrder(
  classes: readonly Int32Array[],
  starts: readonly ChunkStarts[],
  { key, bufferSize, length }: { key: Key; bufferSize: number; length: number },
): Int32Array {
  const draw: Generator = key.fold('class').generator();
  const streams = classes.map((places, label) => {
    let order: Int32Array = new Int32Array();
    let round = 0;
    let at = 0;
    return () => {
      if (at === order.length) {
        const own = { key: key.fold(label).fold(round++), bufferSize: Math.ceil(bufferSize / classes.length) };
        order = epochOrder(starts[label]!, own);
        at = 0;
      }
      return places[order[at++]!]!;
    };
  });
  return Int32Array.from({ length }, () => draw.pick(streams)());
}

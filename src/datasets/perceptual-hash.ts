import { type ImageSource, imageLimits, readImageFile } from '../slides/index.js';

/** An image is scaled to this side, px, and so many of its lowest frequencies across and down are kept. */
const scaledSide = 64;
const frequencies = 16;
/** Bits of a perceptual hash. */
const hashBits = frequencies * frequencies;

/** Cosines of the lowest frequencies, `[frequency, place]` (DCT-II). */
const cosines = Float64Array.from({ length: frequencies * scaledSide }, (_, index) =>
  Math.cos((Math.PI * (0.5 + (index % scaledSide)) * Math.floor(index / scaledSide)) / scaledSide),
);

/**
 * Hash of how an image looks (pHash, after Zauner: Implementation and benchmarking of perceptual image hash functions,
 * 2010): is each of the 16 x 16 lowest frequencies of its brightness above their median? Of 120 real breast patches of
 * 50 px, 99 of 100 copies that were recompressed (JPEG 50), halved, doubled or tinted differ in at most 24 of the 256
 * bits, and different patches in at least 90 (`test/datasets/splits.test.ts`). The frequencies of a nearly blank image
 * are noise, which recompressing changes more.
 *
 * @param image path of a file or encoded bytes: JPEG, PNG, TIFF or WebP
 * @returns eight whole numbers of 32 bits
 * @throws Error when it cannot be read
 */
export async function perceptualHash(image: ImageSource): Promise<Uint32Array> {
  const name = typeof image === 'string' ? image : 'the image';
  return hashOfBrightness((await readImageFile(image, hashedForm, name)).data);
}

/** What an image is read as to be hashed. */
export const hashedForm = { as: 'gray', side: scaledSide, of: 'image', limits: imageLimits } as const;

/** See `perceptualHash`; of an image that was read as `hashedForm` says, or as that of tissue. */
export function hashOfBrightness(gray: Uint8Array): Uint32Array {
  // Across, then down: `[row, frequency]`, then `[frequency down, frequency across]`.
  const across = new Float64Array(scaledSide * frequencies);
  for (let row = 0; row < scaledSide; row++) {
    for (let frequency = 0; frequency < frequencies; frequency++) {
      let sum = 0;
      for (let place = 0; place < scaledSide; place++) {
        sum += gray[row * scaledSide + place]! * cosines[frequency * scaledSide + place]!;
      }
      across[row * frequencies + frequency] = sum;
    }
  }
  const strengths = new Float64Array(hashBits);
  for (let bit = 0; bit < hashBits; bit++) {
    const [down, frequency] = [Math.floor(bit / frequencies), bit % frequencies];
    for (let row = 0; row < scaledSide; row++) {
      strengths[bit]! += across[row * frequencies + frequency]! * cosines[down * scaledSide + row]!;
    }
  }
  const median = [...strengths].sort((one, other) => one - other)[hashBits / 2]!;
  const hash = new Uint32Array(hashBits / 32);
  for (let bit = 0; bit < hashBits; bit++) if (strengths[bit]! > median) hash[bit >> 5]! |= 1 << (bit & 31);
  return hash;
}

/** Number of bits in which two hashes differ (Hamming distance). */
export function hashDistance(one: Uint32Array, other: Uint32Array): number {
  let distance = 0;
  for (let word = 0; word < one.length; word++) distance += bitsOf(one[word]! ^ other[word]!);
  return distance;
}

function bitsOf(word: number): number {
  let bits = word - ((word >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

export interface NearPair {
  /** Places in the list of hashes, the lower first. */
  one: number;
  other: number;
  distance: number;
}

/**
 * Pairs of hashes that differ in at most so many bits, nearest first: all pairs of different hashes, and of those that are
 * equal each with the first. Thousands of blank images hash alike, and their pairs among one another would be the square
 * of that; the groups of items, and whether two splits share any, are the same without them.
 *
 * Two hashes at distance `most` agree wholly in at least one of `most + 1` parts, so that only hashes that share a part
 * are compared (as in Manku, Jain, Das Sarma: Detecting near-duplicates for web crawling, WWW 2007).
 */
export function nearPairs(hashes: readonly Uint32Array[], maxDistance: number): NearPair[] {
  if (!(Number.isSafeInteger(maxDistance) && maxDistance >= 0 && maxDistance < hashBits)) {
    throw new RangeError(`a distance must be an integer from 0 to ${hashBits - 1} bits; got ${maxDistance}`);
  }
  const equal = bucketsBy(hashes.keys(), (index) => hashes[index]!.join());
  const pairs = equal.flatMap(([one, ...others]) => others.map((other) => ({ one: one!, other, distance: 0 })));
  const parts = maxDistance + 1;
  for (let part = 0; part < parts; part++) {
    const first = Math.floor((part * hashBits) / parts);
    const end = Math.floor(((part + 1) * hashBits) / parts);
    const buckets = bucketsBy(
      equal.map(([one]) => one!),
      (index) => bitsFrom(hashes[index]!, first, end),
    );
    for (const bucket of buckets) {
      for (let at = 0; at < bucket.length; at++) {
        for (let next = at + 1; next < bucket.length; next++) {
          const [one, other] = [bucket[at]!, bucket[next]!];
          const distance = hashDistance(hashes[one]!, hashes[other]!);
          if (distance <= maxDistance) pairs.push({ one, other, distance });
        }
      }
    }
  }
  pairs.sort((a, b) => a.distance - b.distance || a.one - b.one || a.other - b.other);
  // Those that share several parts were found several times.
  return pairs.filter(({ one, other }, at) => one !== pairs[at - 1]?.one || other !== pairs[at - 1]?.other);
}

/**
 * The pairs that `nearPairs` would give of some of the hashes: where the first of equal ones is not among them, the next
 * stands for all.
 *
 * @param pairs what `nearPairs` gave of all
 * @param placeOf a hash's place among those that are taken; undefined for the others
 */
export function pairsAmong(pairs: readonly NearPair[], placeOf: (index: number) => number | undefined): NearPair[] {
  const alike = new Map<number, number[]>();
  for (const { one, other, distance } of pairs) {
    if (distance > 0) continue;
    if (!alike.has(one)) alike.set(one, [one]);
    alike.get(one)!.push(other);
  }
  const placesOf = new Map(
    [...alike].map(([first, members]) => [
      first,
      members.map(placeOf).filter((place): place is number => place !== undefined),
    ]),
  );
  const among: NearPair[] = [];
  for (const [first, ...others] of placesOf.values()) {
    for (const other of others) among.push({ one: first!, other, distance: 0 });
  }
  const representative = (index: number) => (placesOf.has(index) ? placesOf.get(index)![0] : placeOf(index));
  for (const { one, other, distance } of pairs) {
    const places = [representative(one), representative(other)];
    if (distance === 0 || places.includes(undefined)) continue;
    const [low, high] = (places as number[]).sort((a, b) => a - b);
    among.push({ one: low!, other: high!, distance });
  }
  return among.sort((a, b) => a.distance - b.distance || a.one - b.one || a.other - b.other);
}

/** Items with the same name together, in the order in which they come. */
function bucketsBy(items: Iterable<number>, name: (item: number) => string): number[][] {
  const buckets = new Map<string, number[]>();
  for (const item of items) {
    const bucket = buckets.get(name(item));
    if (bucket) bucket.push(item);
    else buckets.set(name(item), [item]);
  }
  return [...buckets.values()];
}

function bitsFrom(hash: Uint32Array, first: number, end: number): string {
  let bits = '';
  for (let bit = first; bit < end; bit++) bits += (hash[bit >> 5]! >>> (bit & 31)) & 1;
  return bits;
}

/** For each item the lowest place of those that pairs tie it to, itself if to none. */
export function groupsOf(count: number, pairs: readonly Pick<NearPair, 'one' | 'other'>[]): Int32Array {
  const parent = Int32Array.from({ length: count }, (_, index) => index);
  const root = (index: number): number => {
    let top = index;
    while (parent[top] !== top) top = parent[top]!;
    while (parent[index] !== top) {
      const next = parent[index]!;
      parent[index] = top;
      index = next;
    }
    return top;
  };
  for (const { one, other } of pairs) {
    const [low, high] = [root(one), root(other)].sort((a, b) => a - b) as [number, number];
    parent[high] = low;
  }
  return parent.map((_, index) => root(index));
}

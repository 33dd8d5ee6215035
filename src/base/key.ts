import { createHash } from 'node:crypto';

/**
 * The only source of randomness. A key is a value: it is never advanced, only folded into new keys (as in JAX), so that
 * one consumer's draws never depend on another's.
 */
export class Key {
  /** 64 bits as two int32: the seed of TensorFlow's stateless random ops. */
  readonly words: readonly [number, number];

  private constructor(words: readonly [number, number]) {
    this.words = words;
  }

  static fromSeed(seed: number | string): Key {
    if (typeof seed === 'number' && !Number.isSafeInteger(seed)) {
      throw new RangeError(`seed must be a safe integer or a string; got ${seed}`);
    }
    return new Key(mix('seed', seed));
  }

  /** The key of a named or numbered child; the same data always gives the same child. */
  fold(data: string | number): Key {
    if (typeof data === 'number' && !Number.isSafeInteger(data)) {
      throw new RangeError(`fold takes a name or a safe integer; got ${data}`);
    }
    return new Key(mix(`${this.words[0]},${this.words[1]}`, data));
  }

  /** A JavaScript generator that starts at this key. Two generators of one key draw the same numbers. */
  generator(): Generator {
    return new Generator(this.words);
  }

  toString(): string {
    return this.words.map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
  }
}

/** `key(seed).fold('views').fold(step)`: everything random in pathlab starts here. */
export function key(seed: number | string): Key {
  return Key.fromSeed(seed);
}

function mix(state: string, data: string | number): readonly [number, number] {
  const digest = createHash('sha256')
    .update(`${state}\0${typeof data}\0${data}`)
    .digest();
  return [digest.readInt32LE(0), digest.readInt32LE(4)];
}

/** Small fast counter generator (sfc32, Chris Doty-Humphrey's PractRand); period at least 2^32. */
export class Generator {
  private a: number;
  private b: number;
  private c: number;
  private counter = 1;
  private spareNormal: number | undefined;

  constructor(words: readonly [number, number]) {
    this.a = words[0];
    this.b = words[1];
    this.c = words[0] ^ 0x9e3779b9;
    for (let round = 0; round < 15; round++) this.uint32();
  }

  private uint32(): number {
    const sum = (((this.a + this.b) | 0) + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = (((this.c << 21) | (this.c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** Uniform in [0, 1), 53 bits. */
  uniform(): number {
    return ((this.uint32() >>> 5) * 0x4000000 + (this.uint32() >>> 6)) / 0x20000000000000;
  }

  /** Uniform in [low, high). */
  between(low: number, high: number): number {
    return low + (high - low) * this.uniform();
  }

  /** Uniform whole number in [0, count). */
  integer(count: number): number {
    if (!(Number.isSafeInteger(count) && count > 0)) {
      throw new RangeError(`integer(count) needs a positive integer; got ${count}`);
    }
    return Math.floor(this.uniform() * count);
  }

  /** Standard normal (Box and Muller, 1958). */
  normal(): number {
    if (this.spareNormal !== undefined) {
      const spare = this.spareNormal;
      this.spareNormal = undefined;
      return spare;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    const angle = 2 * Math.PI * this.uniform();
    this.spareNormal = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  /** Fisher-Yates, in place; returns its argument. */
  shuffle<T extends { length: number; [index: number]: unknown }>(items: T): T {
    for (let last = items.length - 1; last > 0; last--) {
      const other = this.integer(last + 1);
      const held = items[last];
      items[last] = items[other];
      items[other] = held;
    }
    return items;
  }

  /** One of the items. */
  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new RangeError('pick needs at least one item');
    return items[this.integer(items.length)] as T;
  }
}

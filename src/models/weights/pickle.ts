/*
 * Pickle, protocols 2 to 5, as data: a stack machine of which only those instructions are understood that build values.
 * Nothing that a file names is ever run. What instructions mean: Python's Lib/pickletools.py.
 */

/** What a file names: `torch.FloatStorage`, as a value. */
export class Global {
  constructor(readonly name: string) {}
}

/** Values as Python has them: dictionaries are Maps; lists, tuples and sets are arrays. */
export type Pickled = unknown;

/** What the caller understands besides plain values. */
export interface PickleReader {
  /**
   * What a named thing makes of its arguments; undefined if it is not known, and the file is then refused by that name.
   */
  call(name: string, args: readonly Pickled[]): Pickled | undefined;
  /** What a reference to something outside the pickle stands for. */
  persistent(id: Pickled): Pickled;
}

/**
 * Reads one pickle.
 *
 * @returns the value, and the byte behind the pickle
 * @throws Error that says what the pickle asks for and where, without the file's name
 */
export function unpickle(bytes: Buffer, begin: number, reader: PickleReader): { value: Pickled; end: number } {
  return new Machine(bytes, begin, reader).run();
}

/** What stands on the stack where a list of items begins. */
const mark = Symbol('mark');

class Machine {
  private readonly stack: Pickled[] = [];
  private readonly memo = new Map<number, Pickled>();

  constructor(
    private readonly bytes: Buffer,
    private place: number,
    private readonly reader: PickleReader,
  ) {}

  run(): { value: Pickled; end: number } {
    for (;;) {
      const at = this.place;
      const code = this.take(1)[0]!;
      if (code === 0x2e) return { value: this.pop(), end: this.place };
      const instruction = instructions[code];
      if (!instruction) {
        throw new Error(
          `byte ${at} is 0x${code.toString(16).padStart(2, '0')}, which is not an instruction that builds data`,
        );
      }
      instruction(this);
    }
  }

  take(count: number): Buffer {
    if (count > this.bytes.length - this.place)
      throw new Error(`its pickle ends within a value, at byte ${this.place}`);
    this.place += count;
    return this.bytes.subarray(this.place - count, this.place);
  }

  uint8 = () => this.take(1)[0]!;
  uint16 = () => this.take(2).readUInt16LE();
  uint32 = () => this.take(4).readUInt32LE();
  uint64 = () => Number(this.take(8).readBigUInt64LE());

  text = (length: number) => this.take(length).toString('utf8');

  line(): string {
    const end = this.bytes.indexOf(10, this.place);
    if (end < 0) throw new Error(`its pickle ends within a name, at byte ${this.place}`);
    return this.take(end + 1 - this.place)
      .toString('utf8')
      .slice(0, -1);
  }

  /** A whole number of any length; a bigint where a number does not hold it. */
  whole(length: number): number | bigint {
    if (length > 1000) throw new Error(`its pickle holds a number of ${length} bytes, at byte ${this.place}`);
    const digits = [...this.take(length)].reverse().map((byte) => byte.toString(16).padStart(2, '0'));
    const value = BigInt.asIntN(8 * length, BigInt(`0x0${digits.join('')}`));
    return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  }

  push(value: Pickled): void {
    this.stack.push(value);
  }

  pop(): Pickled {
    if (this.stack.length === 0) throw new Error(`its pickle takes a value from an empty stack, at byte ${this.place}`);
    return this.stack.pop();
  }

  top<Kind>(kind: (value: unknown) => value is Kind): Kind {
    const value = this.stack.at(-1);
    if (!kind(value))
      throw new Error(`its pickle adds to a value that is not a list or dictionary, at byte ${this.place}`);
    return value;
  }

  /** What stands behind the last mark. */
  items(): Pickled[] {
    const begin = this.stack.lastIndexOf(mark);
    if (begin < 0) throw new Error(`its pickle has no mark where it needs one, at byte ${this.place}`);
    const items = this.stack.splice(begin);
    return items.slice(1);
  }

  last(count: number): Pickled[] {
    return Array.from({ length: count }, () => this.pop()).reverse();
  }

  keep(key: number): void {
    this.memo.set(key, this.stack.at(-1));
  }

  keepNext(): void {
    this.keep(this.memo.size);
  }

  get(key: number): void {
    if (!this.memo.has(key))
      throw new Error(`its pickle reads a memo entry that it has not written, at byte ${this.place}`);
    this.push(this.memo.get(key));
  }

  set(pairs: readonly Pickled[]): void {
    const dictionary = this.top((value): value is Map<Pickled, Pickled> => value instanceof Map);
    for (let item = 0; item + 1 < pairs.length; item += 2) dictionary.set(pairs[item], pairs[item + 1]);
  }

  call(): void {
    const [called, args] = this.last(2);
    if (!(called instanceof Global))
      throw new Error(`its pickle calls a value that is not a function, at byte ${this.place}`);
    const value = this.reader.call(called.name, Array.isArray(args) ? args : [args]);
    if (value === undefined) {
      throw new Error(
        `its pickle would run ${called.name}, which pathlab does not allow: it reads only tensors, numbers, texts and ` +
          'plain containers. Save only the weights: torch.save(model.state_dict(), ...)',
      );
    }
    this.push(value);
  }

  /** Gives an object its fields. */
  build(): void {
    const fields = this.pop();
    const object = this.top((value): value is object => typeof value === 'object' && value !== null);
    // Attributes of an OrderedDict are not items of it: PyTorch hangs its `_metadata` there.
    if (object instanceof Fields && fields instanceof Map) for (const [name, value] of fields) object.set(name, value);
  }

  refer(): void {
    this.push(this.reader.persistent(this.pop()));
  }
}

/** The fields of an object that is nothing but fields, as `argparse.Namespace`. */
export class Fields extends Map<Pickled, Pickled> {}

const isList = (value: unknown): value is Pickled[] => Array.isArray(value);

const instructions: Readonly<Record<number, (machine: Machine) => void>> = {
  // Protocol and frames.
  128: (m) => m.take(1),
  149: (m) => m.take(8),
  // The stack and what is kept of it.
  40: (m) => m.push(mark),
  48: (m) => m.pop(),
  49: (m) => m.items(),
  50: (m) => m.push(m.top((value): value is unknown => true)),
  113: (m) => m.keep(m.uint8()),
  114: (m) => m.keep(m.uint32()),
  148: (m) => m.keepNext(),
  104: (m) => m.get(m.uint8()),
  106: (m) => m.get(m.uint32()),
  // None, truths, numbers.
  78: (m) => m.push(null),
  136: (m) => m.push(true),
  137: (m) => m.push(false),
  74: (m) => m.push(m.take(4).readInt32LE()),
  75: (m) => m.push(m.uint8()),
  77: (m) => m.push(m.uint16()),
  138: (m) => m.push(m.whole(m.uint8())),
  139: (m) => m.push(m.whole(m.uint32())),
  71: (m) => m.push(m.take(8).readDoubleBE()),
  // Texts and bytes.
  88: (m) => m.push(m.text(m.uint32())),
  140: (m) => m.push(m.text(m.uint8())),
  141: (m) => m.push(m.text(m.uint64())),
  84: (m) => m.push(m.text(m.uint32())),
  85: (m) => m.push(m.text(m.uint8())),
  66: (m) => m.push(m.take(m.uint32())),
  67: (m) => m.push(m.take(m.uint8())),
  142: (m) => m.push(m.take(m.uint64())),
  // Containers.
  125: (m) => m.push(new Map()),
  93: (m) => m.push([]),
  143: (m) => m.push([]),
  41: (m) => m.push([]),
  133: (m) => m.push(m.last(1)),
  134: (m) => m.push(m.last(2)),
  135: (m) => m.push(m.last(3)),
  116: (m) => m.push(m.items()),
  108: (m) => m.push(m.items()),
  100: (m) => {
    const pairs = m.items();
    m.push(new Map());
    m.set(pairs);
  },
  97: (m) => {
    const value = m.pop();
    m.top(isList).push(value);
  },
  101: (m) => {
    const values = m.items();
    const list = m.top(isList);
    for (const value of values) list.push(value);
  },
  144: (m) => {
    const values = m.items();
    const list = m.top(isList);
    for (const value of values) list.push(value);
  },
  115: (m) => m.set(m.last(2)),
  117: (m) => m.set(m.items()),
  // Names, what they are given, and what lies outside.
  99: (m) => {
    const module = m.line();
    m.push(new Global(`${module}.${m.line()}`));
  },
  147: (m) => m.push(new Global(m.last(2).join('.'))),
  82: (m) => m.call(),
  129: (m) => m.call(),
  98: (m) => m.build(),
  81: (m) => m.refer(),
};

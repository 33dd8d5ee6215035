/** Values of a tag, all of one type (text, 16 or 32 bits); a list that claims more than it holds can be made with `count`. */
export interface TestTag {
  tag: number;
  type: 2 | 3 | 4;
  values: number[];
  count?: number;
}

/** A classic TIFF of these directories, each leading to the next; little-endian unless said otherwise. */
export function tiffOf(directories: TestTag[][], { endsAt = 0, tail = 0, bigEndian = false } = {}): Buffer {
  const put = (into: Buffer, value: number, at: number, size: number) =>
    bigEndian ? into.writeUIntBE(value, at, size) : into.writeUIntLE(value, at, size);
  const head = Buffer.from(bigEndian ? 'MM\0\0\0\0\0\0' : 'II\0\0\0\0\0\0', 'latin1');
  put(head, 42, 2, 2);
  put(head, 8, 4, 4);
  const parts = [head];
  let at = head.length;
  for (const [index, tags] of directories.entries()) {
    const tableBytes = 2 + 12 * tags.length + 4;
    const table = Buffer.alloc(tableBytes);
    const values: Buffer[] = [];
    let valuesAt = at + tableBytes;
    put(table, tags.length, 0, 2);
    for (const [entry, { tag, type, values: numbers, count }] of tags.entries()) {
      const size = { 2: 1, 3: 2, 4: 4 }[type];
      const content = Buffer.alloc(Math.max(4, numbers.length * size));
      for (const [place, value] of numbers.entries()) put(content, value, place * size, size);
      const start = 2 + 12 * entry;
      put(table, tag, start, 2);
      put(table, type, start + 2, 2);
      put(table, count ?? numbers.length, start + 4, 4);
      if ((count ?? numbers.length) * size <= 4) content.copy(table, start + 8, 0, 4);
      else {
        put(table, valuesAt, start + 8, 4);
        values.push(content);
        valuesAt += content.length;
      }
    }
    const last = index === directories.length - 1;
    put(table, last ? endsAt : valuesAt, tableBytes - 4, 4);
    parts.push(table, ...values);
    at = valuesAt;
  }
  return Buffer.concat([...parts, Buffer.alloc(tail)]);
}

const short = (tag: number, ...values: number[]): TestTag => ({ tag, type: 3, values });
const long = (tag: number, ...values: number[]): TestTag => ({ tag, type: 4, values });

/** An image of tiles of 256 px; what is given takes the place of its tags. */
export function tiledImage(width: number, height: number, changes: TestTag[] = []): TestTag[] {
  const usual = [
    long(254, 0),
    long(256, width),
    long(257, height),
    short(258, 8, 8, 8),
    short(259, 7),
    short(262, 6),
    short(277, 3),
    long(322, 256),
    long(323, 256),
    long(324, 8),
    long(325, 4),
  ];
  return usual.map((tag) => changes.find((change) => change.tag === tag.tag) ?? tag);
}

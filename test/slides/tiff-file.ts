/** Values of a tag, all of one type; a list that claims more than it holds can be made with `count`. */
export interface TestTag {
  tag: number;
  type: 3 | 4;
  values: number[];
  count?: number;
}

/** A little-endian classic TIFF of these directories, each leading to the next. */
export function tiffOf(directories: TestTag[][], { endsAt = 0, tail = 0 } = {}): Buffer {
  const head = Buffer.from([0x49, 0x49, 42, 0, 8, 0, 0, 0]);
  const parts = [head];
  let at = head.length;
  for (const [index, tags] of directories.entries()) {
    const tableBytes = 2 + 12 * tags.length + 4;
    const table = Buffer.alloc(tableBytes);
    const values: Buffer[] = [];
    let valuesAt = at + tableBytes;
    table.writeUInt16LE(tags.length, 0);
    for (const [entry, { tag, type, values: numbers, count }] of tags.entries()) {
      const size = type === 3 ? 2 : 4;
      const content = Buffer.alloc(Math.max(4, numbers.length * size));
      for (const [place, value] of numbers.entries()) content.writeUIntLE(value, place * size, size);
      const start = 2 + 12 * entry;
      table.writeUInt16LE(tag, start);
      table.writeUInt16LE(type, start + 2);
      table.writeUInt32LE(count ?? numbers.length, start + 4);
      if ((count ?? numbers.length) * size <= 4) content.copy(table, start + 8, 0, 4);
      else {
        table.writeUInt32LE(valuesAt, start + 8);
        values.push(content);
        valuesAt += content.length;
      }
    }
    const last = index === directories.length - 1;
    table.writeUInt32LE(last ? endsAt : valuesAt, tableBytes - 4);
    parts.push(table, ...values);
    at = valuesAt;
  }
  return Buffer.concat([...parts, Buffer.alloc(tail)]);
}

const long = (tag: number, ...values: number[]): TestTag => ({ tag, type: 4, values });

/** A picture of tiles of 256 px; what is given takes the place of its tags. */
export function tiledPicture(width: number, height: number, changes: TestTag[] = []): TestTag[] {
  const usual = [
    long(254, 0),
    long(256, width),
    long(257, height),
    { tag: 258, type: 3 as const, values: [8, 8, 8] },
    long(259, 7),
    long(262, 6),
    long(277, 3),
    long(322, 256),
    long(323, 256),
    long(324, 8),
    long(325, 4),
  ];
  return usual.map((tag) => changes.find((change) => change.tag === tag.tag) ?? tag);
}

import { UnfinishedFile } from '../../base/index.js';

/** Numbers of field types (TIFF 6.0, Adobe, 1992, section 2; `long8` is BigTIFF's). */
export const fieldTypes = { ascii: 2, short: 3, long: 4, rational: 5, long8: 16 } as const;

const typeBytes = { [fieldTypes.ascii]: 1, [fieldTypes.short]: 2, [fieldTypes.long]: 4, [fieldTypes.long8]: 8 };

/** One field of a directory; fields stand in the order of their tags. */
export interface TiffField {
  tag: number;
  type: (typeof fieldTypes)[keyof typeof fieldTypes];
  /** A rational is two numbers. */
  values: readonly number[];
}

/** A little-endian TIFF whose image data is appended part by part, and whose directories come last. */
export class TiffWriter {
  private constructor(
    private readonly file: UnfinishedFile,
    /** Whether it is a BigTIFF, which may have more than 4 GiB. */
    readonly big: boolean,
  ) {}

  static async create(path: string, big: boolean): Promise<TiffWriter> {
    const writer = new TiffWriter(await UnfinishedFile.create(path), big);
    try {
      // The place of the first directory is filled in at the end.
      const header = big ? Buffer.alloc(16) : Buffer.alloc(8);
      header.write(big ? 'II\x2b\0\x08\0\0\0' : 'II\x2a\0', 'latin1');
      await writer.file.append(header);
      return writer;
    } catch (error) {
      await writer.abandon();
      throw error;
    }
  }

  /** Appends parts of image data, each at an even offset, and tells where they lie. */
  async put(parts: readonly Uint8Array[]): Promise<{ offset: number; length: number }[]> {
    let offset = this.file.size;
    const places: { offset: number; length: number }[] = [];
    const bytes: Uint8Array[] = [];
    for (const part of parts) {
      places.push({ offset, length: part.length });
      bytes.push(part);
      if (part.length % 2 === 1) bytes.push(new Uint8Array(1));
      offset += part.length + (part.length % 2);
    }
    await this.file.append(Buffer.concat(bytes));
    return places;
  }

  /** Writes the directories, each leading to the next, and gives the file its name. */
  async finish(directories: readonly (readonly TiffField[])[]): Promise<void> {
    const first = this.file.size;
    let at = first;
    const tables: Buffer[] = [];
    for (const [index, fields] of directories.entries()) {
      const table = this.directory(fields, at, index === directories.length - 1);
      tables.push(table);
      at += table.length;
    }
    await this.file.append(Buffer.concat(tables));
    await this.file.overwrite(this.offset(first), this.big ? 8 : 4);
    await this.file.finish();
  }

  /** Leaves nothing behind. */
  abandon(): Promise<void> {
    return this.file.abandon();
  }

  /** A directory that begins at byte `at`, and behind it the values that do not fit into its entries. */
  private directory(fields: readonly TiffField[], at: number, last: boolean): Buffer {
    const word = this.big ? 8 : 4;
    const countBytes = this.big ? 8 : 2;
    const entryBytes = 4 + 2 * word;
    const table = Buffer.alloc(countBytes + fields.length * entryBytes + word);
    table.writeUIntLE(fields.length, 0, 2);
    const values: Buffer[] = [];
    let next = at + table.length;
    for (const [index, { tag, type, values: numbers }] of fields.entries()) {
      const entry = countBytes + index * entryBytes;
      const content = contentOf(type, numbers);
      table.writeUInt16LE(tag, entry);
      table.writeUInt16LE(type, entry + 2);
      this.offset(type === fieldTypes.rational ? numbers.length / 2 : numbers.length).copy(table, entry + 4);
      if (content.length <= word) content.copy(table, entry + 4 + word);
      else {
        this.offset(next).copy(table, entry + 4 + word);
        values.push(content);
        if (content.length % 2 === 1) values.push(Buffer.alloc(1));
        next += content.length + (content.length % 2);
      }
    }
    if (!last) this.offset(next).copy(table, table.length - word);
    return Buffer.concat([table, ...values]);
  }

  /** A number of the width that the format gives counts and offsets. */
  private offset(value: number): Buffer {
    const bytes = Buffer.alloc(this.big ? 8 : 4);
    if (this.big) bytes.writeBigUInt64LE(BigInt(value));
    else bytes.writeUInt32LE(value);
    return bytes;
  }
}

function contentOf(type: TiffField['type'], values: readonly number[]): Buffer {
  const bytes = type === fieldTypes.rational ? 4 : typeBytes[type];
  const content = Buffer.alloc(bytes * values.length);
  for (const [index, value] of values.entries()) {
    if (bytes === 8) content.writeBigUInt64LE(BigInt(value), index * bytes);
    else content.writeUIntLE(value, index * bytes, bytes);
  }
  return content;
}

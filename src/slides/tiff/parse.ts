import { slideLimits } from './limits.js';

/** Numbers of the tags in TIFF 6.0 (Adobe, 1992) and its Technical Note 2 that are looked at. */
const tags = {
  imageWidth: 256,
  imageLength: 257,
  bitsPerSample: 258,
  compression: 259,
  photometric: 262,
  stripOffsets: 273,
  samplesPerPixel: 277,
  rowsPerStrip: 278,
  stripByteCounts: 279,
  planarConfiguration: 284,
  tileWidth: 322,
  tileLength: 323,
  tileOffsets: 324,
  tileByteCounts: 325,
  jpegTables: 347,
  /** Hamamatsu's, by which its TIFFs are known. */
  ndpiFormat: 65420,
} as const;
type TagName = keyof typeof tags;
const nameOfTag = new Map(Object.entries(tags).map(([name, tag]) => [tag as number, name as TagName]));

/** Bytes of a value of each type. */
const typeSizes: Record<number, number> = {
  1: 1,
  2: 1,
  3: 2,
  4: 4,
  5: 8,
  6: 1,
  7: 1,
  8: 2,
  9: 4,
  10: 8,
  11: 4,
  12: 8,
  13: 4,
  16: 8,
  17: 8,
  18: 8,
};

/** Photometric interpretation of images whose values are indices of colors. */
export const paletteColor = 3;

/** One image of a TIFF, as its directory describes it. Lists that are not there are empty. */
export interface TiffDirectory {
  width: number;
  height: number;
  bitsPerSample: number[];
  samples: number;
  compression: number;
  photometric: number;
  planar: number;
  /** Undefined when the image is in strips. */
  tile: { width: number; height: number } | undefined;
  rowsPerStrip: number;
  /** Of each tile or strip, where its bytes begin and how many there are. */
  offsets: Float64Array;
  byteCounts: Float64Array;
  /** Tables that all tiles share (JPEG), as a JPEG stream of their own. */
  jpegTables: Buffer | undefined;
}

export interface Tiff {
  directories: TiffDirectory[];
  /** Hamamatsu's NDPI bends the format's rules: only its first directory is read. */
  ndpi: boolean;
  fileBytes: number;
}

/** A file, or bytes in memory that are read like one. */
export interface TiffBytes {
  stat(): Promise<{ size: number }>;
  read(into: Buffer, at: number, length: number, position: number): Promise<{ bytesRead: number }>;
}

/**
 * Reads a TIFF's or BigTIFF's directories. Nothing is taken on trust: every count, offset and length is held against
 * the file's size and the limits before memory is given for it.
 *
 * @returns undefined when the file is not a TIFF
 * @throws Error that says which claim of the file is wrong
 */
export async function parseTiff(file: TiffBytes): Promise<Tiff | undefined> {
  const fileBytes = (await file.stat()).size;
  const reader = new Reader(file, fileBytes);
  const head = await reader.bytes(0, Math.min(16, fileBytes), 'the header');
  const order = head.toString('latin1', 0, 2);
  if (head.length < 4 || (order !== 'II' && order !== 'MM')) return undefined;
  reader.littleEndian = order === 'II';
  const version = reader.number(head, 2, 2);
  if (version !== 42 && version !== 43) return undefined;
  reader.big = version === 43;
  if (head.length < (reader.big ? 16 : 8)) throw new Error('is cut short within its header');
  if (reader.big && (reader.number(head, 4, 2) !== 8 || reader.number(head, 6, 2) !== 0)) {
    throw new Error('is a BigTIFF whose offsets are not of 8 bytes');
  }
  let next = reader.number(head, reader.big ? 8 : 4, reader.big ? 8 : 4);
  const seen = new Set<number>();
  const directories: TiffDirectory[] = [];
  while (next !== 0) {
    if (seen.has(next)) throw new Error(`has a cycle of directories (at byte ${next})`);
    seen.add(next);
    if (directories.length === slideLimits.directories) {
      throw new Error(`claims more than ${slideLimits.directories} images (levels, labels, thumbnails)`);
    }
    const { values, after, ndpi } = await readDirectory(reader, next, directories.length);
    directories.push(directoryOf(values, directories.length));
    if (ndpi) return { directories, ndpi, fileBytes };
    next = after;
  }
  if (directories.length === 0) throw new Error('is a TIFF without an image');
  return { directories, ndpi: false, fileBytes };
}

type Values = Partial<Record<TagName, Float64Array | Buffer>>;

async function readDirectory(
  reader: Reader,
  at: number,
  index: number,
): Promise<{ values: Values; after: number; ndpi: boolean }> {
  const what = `directory ${index}`;
  const word = reader.big ? 8 : 4;
  const countBytes = reader.big ? 8 : 2;
  const count = reader.number(await reader.bytes(at, countBytes, what), 0, countBytes);
  if (!(count > 0 && count <= slideLimits.entriesOfDirectory)) {
    throw new Error(`has ${count} entries in ${what}; there may be 1 to ${slideLimits.entriesOfDirectory}`);
  }
  const entryBytes = 4 + 2 * word;
  const table = await reader.bytes(at + countBytes, count * entryBytes + word, what);
  const values: Values = {};
  let ndpi = false;
  for (let entry = 0; entry < count; entry++) {
    const start = entry * entryBytes;
    const tag = reader.number(table, start, 2);
    if (tag === tags.ndpiFormat) ndpi = true;
    const name = nameOfTag.get(tag);
    if (name === undefined) continue;
    const size = typeSizes[reader.number(table, start + 2, 2)];
    const length = reader.number(table, start + 4, word);
    if (size === undefined) throw new Error(`gives ${name} in ${what} a type that TIFF does not have`);
    const bytes = length * size;
    if (!(bytes > 0 && bytes <= slideLimits.bytesOfValue)) {
      throw new Error(`claims ${length} values of ${name} in ${what}`);
    }
    const inline = bytes <= word;
    const content = inline
      ? table.subarray(start + 4 + word, start + 4 + word + bytes)
      : await reader.bytes(reader.number(table, start + 4 + word, word), bytes, `${name} of ${what}`);
    values[name] = name === 'jpegTables' ? content : reader.numbers(content, size);
  }
  return { values, after: reader.number(table, count * entryBytes, word), ndpi };
}

function directoryOf(values: Values, index: number): TiffDirectory {
  const list = (name: TagName) => (values[name] as Float64Array | undefined) ?? new Float64Array(0);
  const one = (name: TagName, usual: number) => list(name)[0] ?? usual;
  const width = one('imageWidth', 0);
  const height = one('imageLength', 0);
  const tiled = values.tileWidth !== undefined || values.tileOffsets !== undefined;
  if (values.imageWidth === undefined || values.imageLength === undefined) {
    throw new Error(`does not say how large the image of directory ${index} is`);
  }
  return {
    width,
    height,
    bitsPerSample: values.bitsPerSample ? [...list('bitsPerSample').subarray(0, 16)] : [1],
    samples: one('samplesPerPixel', 1),
    compression: one('compression', 1),
    photometric: one('photometric', 0),
    planar: one('planarConfiguration', 1),
    tile: tiled ? { width: one('tileWidth', 0), height: one('tileLength', 0) } : undefined,
    rowsPerStrip: Math.min(height, one('rowsPerStrip', height)),
    offsets: list(tiled ? 'tileOffsets' : 'stripOffsets'),
    byteCounts: list(tiled ? 'tileByteCounts' : 'stripByteCounts'),
    jpegTables: values.jpegTables as Buffer | undefined,
  };
}

/** Reads from a file within its bounds, in its byte order. */
class Reader {
  littleEndian = true;
  big = false;

  constructor(
    private readonly file: TiffBytes,
    private readonly fileBytes: number,
  ) {}

  async bytes(at: number, length: number, what: string): Promise<Buffer> {
    if (!Number.isSafeInteger(at + length) || at + length > this.fileBytes) {
      throw new Error(`is cut short: ${what} would end at byte ${at + length}, and the file has ${this.fileBytes}`);
    }
    const buffer = Buffer.alloc(length);
    let filled = 0;
    while (filled < length) {
      const { bytesRead } = await this.file.read(buffer, filled, length - filled, at + filled);
      if (bytesRead === 0) throw new Error(`became shorter while ${what} was read`);
      filled += bytesRead;
    }
    return buffer;
  }

  number(buffer: Buffer, at: number, size: number): number {
    if (size === 8) return Number(this.littleEndian ? buffer.readBigUInt64LE(at) : buffer.readBigUInt64BE(at));
    return this.littleEndian ? buffer.readUIntLE(at, size) : buffer.readUIntBE(at, size);
  }

  numbers(buffer: Buffer, size: number): Float64Array {
    return Float64Array.from({ length: buffer.length / size }, (_, index) => this.number(buffer, index * size, size));
  }
}

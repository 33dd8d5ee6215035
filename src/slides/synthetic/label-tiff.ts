import { deflateSync } from 'node:zlib';

const tileSide = 256;
/** Each level has a quarter of the side of the one before, as in PANDA's masks. */
const levelStep = 4;

/** Numbers of TIFF 6.0 (Adobe, 1992): field types and compression. */
const types = { ascii: 2, short: 3, long: 4, rational: 5 } as const;
const deflate = 8;

interface Field {
  tag: number;
  type: (typeof types)[keyof typeof types];
  /** A rational is two numbers. */
  values: readonly number[];
}

/**
 * Writes a mask as a tiled pyramidal RGB TIFF with its values in the red channel, as PANDA's are. Coarser levels take the
 * value of one of their pixels: a mean of class numbers would be another class.
 *
 * @param mask values, `[height, width]`
 */
export function labelTiff(
  mask: Uint8Array,
  size: { width: number; height: number },
  about: { umPerPixel: number; description: string },
): Buffer {
  const file = new TiffWriter();
  let level = { mask, ...size };
  for (let downsample = 1; ; downsample *= levelStep) {
    const tiles = tilesOf(level).map((tile) => file.put(deflateSync(tile, { level: 3 })));
    const perCentimeter = [Math.round(1e7 / (about.umPerPixel * downsample)), 1000];
    const fields: Field[] = [
      { tag: 254, type: types.long, values: [downsample === 1 ? 0 : 1] },
      { tag: 256, type: types.long, values: [level.width] },
      { tag: 257, type: types.long, values: [level.height] },
      { tag: 258, type: types.short, values: [8, 8, 8] },
      { tag: 259, type: types.short, values: [deflate] },
      { tag: 262, type: types.short, values: [2] },
      { tag: 270, type: types.ascii, values: [...Buffer.from(`${about.description}\0`, 'latin1')] },
      { tag: 277, type: types.short, values: [3] },
      { tag: 282, type: types.rational, values: perCentimeter },
      { tag: 283, type: types.rational, values: perCentimeter },
      { tag: 284, type: types.short, values: [1] },
      { tag: 296, type: types.short, values: [3] },
      { tag: 322, type: types.long, values: [tileSide] },
      { tag: 323, type: types.long, values: [tileSide] },
      { tag: 324, type: types.long, values: tiles.map(({ offset }) => offset) },
      { tag: 325, type: types.long, values: tiles.map(({ length }) => length) },
    ];
    file.putDirectory(fields);
    if (Math.max(level.width, level.height) <= tileSide) return file.bytes();
    level = everyFourth(level);
  }
}

interface Level {
  mask: Uint8Array;
  width: number;
  height: number;
}

function everyFourth({ mask, width, height }: Level): Level {
  const smaller = { width: Math.ceil(width / levelStep), height: Math.ceil(height / levelStep) };
  const values = new Uint8Array(smaller.width * smaller.height);
  for (let row = 0, at = 0; row < smaller.height; row++) {
    const from = Math.min(height - 1, levelStep * row + levelStep / 2) * width;
    for (let column = 0; column < smaller.width; column++, at++) {
      values[at] = mask[from + Math.min(width - 1, levelStep * column + levelStep / 2)]!;
    }
  }
  return { mask: values, ...smaller };
}

/** RGB tiles, row by row; beyond the edge they are 0. */
function tilesOf({ mask, width, height }: Level): Buffer[] {
  const tiles: Buffer[] = [];
  for (let top = 0; top < height; top += tileSide) {
    for (let left = 0; left < width; left += tileSide) {
      const tile = Buffer.alloc(3 * tileSide * tileSide);
      for (let row = top; row < Math.min(height, top + tileSide); row++) {
        const right = Math.min(width, left + tileSide);
        for (let column = left, to = 3 * (row - top) * tileSide; column < right; column++, to += 3) {
          tile[to] = mask[row * width + column]!;
        }
      }
      tiles.push(tile);
    }
  }
  return tiles;
}

/** A little-endian classic TIFF that grows from its front. */
class TiffWriter {
  private readonly parts: Buffer[] = [Buffer.from('II*\0\0\0\0\0', 'latin1')];
  private length = 8;
  /** Where the offset of the next directory goes: a place in one of the parts. */
  private link: { part: Buffer; at: number } = { part: this.parts[0]!, at: 4 };

  /** Adds bytes at an even offset. */
  put(bytes: Buffer): { offset: number; length: number } {
    const offset = this.length;
    this.parts.push(bytes);
    this.length += bytes.length;
    if (this.length % 2 === 1) {
      this.parts.push(Buffer.alloc(1));
      this.length++;
    }
    return { offset, length: bytes.length };
  }

  putDirectory(fields: readonly Field[]): void {
    const directory = Buffer.alloc(2 + 12 * fields.length + 4);
    directory.writeUInt16LE(fields.length, 0);
    for (const [index, { tag, type, values }] of fields.entries()) {
      const at = 2 + 12 * index;
      const content = contentOf(type, values);
      directory.writeUInt16LE(tag, at);
      directory.writeUInt16LE(type, at + 2);
      directory.writeUInt32LE(type === types.rational ? values.length / 2 : values.length, at + 4);
      if (content.length <= 4) content.copy(directory, at + 8);
      else directory.writeUInt32LE(this.put(content).offset, at + 8);
    }
    this.link.part.writeUInt32LE(this.put(directory).offset, this.link.at);
    this.link = { part: directory, at: directory.length - 4 };
  }

  bytes(): Buffer {
    return Buffer.concat(this.parts);
  }
}

function contentOf(type: Field['type'], values: readonly number[]): Buffer {
  if (type === types.ascii) return Buffer.from(values);
  const bytes = type === types.short ? 2 : 4;
  const content = Buffer.alloc(bytes * values.length);
  for (const [index, value] of values.entries()) content.writeUIntLE(value, index * bytes, bytes);
  return content;
}

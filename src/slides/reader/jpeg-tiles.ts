import type { FileHandle } from 'node:fs/promises';
import type { TiffDirectory } from '../tiff/parse.js';
import { copyPixels, type Pixels } from './pixels.js';
import type { TileCache } from './tile-cache.js';
import type { TurboJpeg } from './turbojpeg.js';

/** Numbers of TIFF's tags' values: JPEG (Technical Note 2), RGB and YCbCr. */
const jpegCompression = 7;
const photometricRgb = 2;
const photometricYcbcr = 6;

/** JPEG's markers, each after 0xff (ITU-T T.81, table B.1). */
const [startOfScan, application0, application14, comment] = [0xda, 0xe0, 0xee, 0xfe];

/** Whether an image is tiles of 8-bit RGB or YCbCr JPEG, none of them missing. */
export function isJpegTiled(directory: TiffDirectory): boolean {
  return (
    directory.tile !== undefined &&
    directory.compression === jpegCompression &&
    (directory.photometric === photometricRgb || directory.photometric === photometricYcbcr) &&
    directory.samples === 3 &&
    directory.planar === 1 &&
    directory.bitsPerSample.every((bits) => bits === 8) &&
    // OpenSlide fills missing tiles from other levels: it reads such a level.
    directory.byteCounts.every((bytes) => bytes > 0)
  );
}

/** Reads a level of JPEG tiles, each decoded once while it is in the cache. */
export class JpegTiles {
  private readonly columns: number;
  private readonly tile: { width: number; height: number };
  private readonly prefix: Buffer;
  /** Names it in the cache. */
  private readonly level: number;

  constructor(
    private readonly file: FileHandle,
    private readonly turbo: TurboJpeg,
    private readonly directory: TiffDirectory,
    private readonly name: string,
    private readonly background: readonly [number, number, number],
    private readonly cache: TileCache,
  ) {
    this.level = cache.level();
    this.tile = directory.tile!;
    this.columns = Math.ceil(directory.width / this.tile.width);
    this.prefix = startOfStream(directory);
  }

  /** Reads a rectangle in the level's pixels into `target`, whose size is the rectangle's. */
  async read(x: number, y: number, target: Pixels): Promise<void> {
    const { tile, directory } = this;
    const [left, top] = [Math.max(0, x), Math.max(0, y)];
    const right = Math.min(directory.width, x + target.width);
    const bottom = Math.min(directory.height, y + target.height);
    const inside = left === x && top === y && right === x + target.width && bottom === y + target.height;
    if (!inside) fill(target, this.background);
    if (left >= right || top >= bottom) return;
    for (let row = Math.floor(top / tile.height); row * tile.height < bottom; row++) {
      for (let column = Math.floor(left / tile.width); column * tile.width < right; column++) {
        const [tileLeft, tileTop] = [column * tile.width, row * tile.height];
        const [fromX, fromY] = [Math.max(left, tileLeft), Math.max(top, tileTop)];
        const width = Math.min(right, tileLeft + tile.width) - fromX;
        const height = Math.min(bottom, tileTop + tile.height) - fromY;
        const index = row * this.columns + column;
        const decoded = this.cache.get(this.level, index) ?? (await this.decode(index));
        const from = { x: fromX - tileLeft, y: fromY - tileTop };
        copyPixels(decoded, from, target, { x: fromX - x, y: fromY - y }, width, height);
      }
    }
  }

  close(): void {
    this.cache.forget(this.level);
  }

  private async decode(index: number): Promise<Pixels> {
    const { directory, prefix } = this;
    const { width, height } = this.tile;
    // The tile's own start marker gives way to the prefix, which has one.
    const bytes = Math.max(0, directory.byteCounts[index]! - 2);
    const stream = Buffer.allocUnsafeSlow(prefix.length + bytes);
    prefix.copy(stream);
    const { bytesRead } = await this.file.read(stream, prefix.length, bytes, directory.offsets[index]! + 2);
    if (bytesRead !== bytes) throw new Error(`${this.name}: tile ${index} is cut short`);
    silenceColorMarkers(stream, prefix.length);
    const data = this.cache.room(width * height * 3);
    const pixels = { data, width, height };
    try {
      this.turbo.decode(stream, pixels);
    } catch (error) {
      throw new Error(`${this.name}: tile ${index} cannot be decoded: ${(error as Error).message}`);
    }
    this.cache.put(this.level, index, pixels);
    return pixels;
  }
}

/** What every tile's stream begins with: the start marker, the color transform, the tables that the tiles share. */
function startOfStream({ jpegTables, photometric }: TiffDirectory): Buffer {
  // Adobe's marker, without which decoders guess the colors: its last byte is 0 for RGB and 1 for YCbCr.
  const adobe = Buffer.from([0xff, 0xd8, 0xff, 0xee, 0, 14, ...Buffer.from('Adobe'), 0, 100, 0, 0, 0, 0, 0]);
  adobe[adobe.length - 1] = photometric === photometricRgb ? 0 : 1;
  // The tables are a stream of their own, between a start and an end marker.
  if (!jpegTables) return adobe;
  const tables = Buffer.from(jpegTables.subarray(2, -2));
  silenceColorMarkers(tables, 0);
  return Buffer.concat([adobe, tables]);
}

/**
 * Makes comments of a stream's own JFIF and Adobe markers, from the first marker at `at` up to the pixels. What they say
 * of the colors goes before the prefix's word, and TIFF's photometric interpretation is what counts.
 */
function silenceColorMarkers(stream: Buffer, at: number): void {
  while (at + 4 <= stream.length && stream[at] === 0xff) {
    const marker = stream[at + 1]!;
    if (marker === startOfScan) return;
    if (marker === application0 || marker === application14) stream[at + 1] = comment;
    // Fill bytes before a marker.
    at += marker === 0xff ? 1 : 2 + stream.readUInt16BE(at + 2);
  }
}

function fill(target: Pixels, [red, green, blue]: readonly [number, number, number]): void {
  target.data.fill(Buffer.from([red, green, blue]), 0, target.width * target.height * 3);
}

import { promisify } from 'node:util';
import { deflate } from 'node:zlib';
import { fieldTypes, type TiffField, TiffWriter } from '../tiff/write.js';

const tileSide = 256;
/** Each level has a quarter of the side of the one before, as in PANDA's masks. */
const levelStep = 4;
/** TIFF's number of the compression (Technical Note 2 of TIFF 6.0). */
const deflateCompression = 8;
/** A classic TIFF's offsets have 32 bits; some room is left for its directories. */
const maxClassicBytes = 2 ** 32 - 2 ** 26;

const compress = promisify(deflate);

export interface LabelTiffOptions {
  width: number;
  height: number;
  /** Size of a pixel, um. */
  umPerPixel: number;
  /** What the file says of itself. */
  description: string;
  /** As PANDA's masks are: RGB, with the labels in the red channel. By default the labels are gray values. */
  red?: boolean;
  /** Whether it is a BigTIFF; by default where it could grow beyond 4 GiB. */
  big?: boolean;
}

/** One resolution: the rows of tiles that are not full yet, and where the others lie. */
interface Level {
  width: number;
  height: number;
  /** `[tileSide, width]`, of which `row % tileSide` rows are there. */
  rows: Uint8Array;
  row: number;
  tiles: { offset: number; length: number }[];
}

/**
 * Writes labels, row by row, as a tiled pyramidal TIFF with their pixel size. Coarser levels take the label of one pixel
 * of 4 x 4, since a mean of class numbers would be another class. In memory is one row of tiles of each level.
 *
 * The file has a temporary name until `finish`.
 */
export class LabelTiffWriter {
  private readonly levels: Level[];

  private constructor(
    private readonly file: TiffWriter,
    private readonly options: LabelTiffOptions,
  ) {
    this.levels = levelSizes(options).map((size) => ({
      ...size,
      rows: new Uint8Array(tileSide * size.width),
      row: 0,
      tiles: [],
    }));
  }

  static async create(path: string, options: LabelTiffOptions): Promise<LabelTiffWriter> {
    const { width, height } = options;
    if (![width, height].every((side) => Number.isSafeInteger(side) && side > 0)) {
      throw new RangeError(`a label image has whole pixels along its sides, above 0; got ${width} x ${height}`);
    }
    return new LabelTiffWriter(await TiffWriter.create(path, options.big ?? mayExceedClassic(options)), options);
  }

  /** @param labels of the next rows, `[rows, width]` */
  async write(labels: Uint8Array): Promise<void> {
    const { width, height } = this.options;
    const rows = labels.length / width;
    if (!Number.isInteger(rows) || this.levels[0]!.row + rows > height) {
      throw new RangeError(
        `${labels.length} labels are not rows of ${width} among the ${height - this.levels[0]!.row} that are left`,
      );
    }
    for (let row = 0; row < rows; row++) await this.addRow(0, labels.subarray(row * width, (row + 1) * width));
  }

  /** @throws Error when rows are missing */
  async finish(): Promise<void> {
    const [{ row, height }] = this.levels as [Level];
    if (row !== height) throw new Error(`${row} of ${height} rows of labels were written`);
    await this.file.finish(this.levels.map((level, index) => this.fieldsOf(level, levelStep ** index)));
  }

  /** Leaves nothing behind. */
  abandon(): Promise<void> {
    return this.file.abandon();
  }

  private async addRow(index: number, labels: Uint8Array): Promise<void> {
    const level = this.levels[index]!;
    level.rows.set(labels, (level.row % tileSide) * level.width);
    const coarser = this.levels[index + 1];
    // The middle of four rows, or the last row where there is no middle.
    const place = level.row % levelStep;
    const isTaken = place === levelStep / 2 || (level.row === level.height - 1 && place < levelStep / 2);
    level.row++;
    if (level.row % tileSide === 0 || level.row === level.height) await this.putTiles(level);
    if (coarser && isTaken) {
      const last = level.width - 1;
      const every = new Uint8Array(coarser.width);
      for (let column = 0; column < every.length; column++) {
        every[column] = labels[Math.min(last, levelStep * column + levelStep / 2)]!;
      }
      await this.addRow(index + 1, every);
    }
  }

  /** Writes the row of tiles that the level's rows fill; beyond the image's edge they are 0. */
  private async putTiles(level: Level): Promise<void> {
    const rows = level.row % tileSide || tileSide;
    const step = this.options.red ? 3 : 1;
    const tiles: Buffer[] = [];
    for (let left = 0; left < level.width; left += tileSide) {
      const tile = Buffer.alloc(step * tileSide * tileSide);
      const across = Math.min(tileSide, level.width - left);
      for (let row = 0; row < rows; row++) {
        const line = level.rows.subarray(row * level.width + left, row * level.width + left + across);
        if (step === 1) tile.set(line, row * tileSide);
        else for (let column = 0; column < across; column++) tile[step * (row * tileSide + column)] = line[column]!;
      }
      tiles.push(tile);
    }
    const compressed = await Promise.all(tiles.map((tile) => compress(tile, { level: 3 })));
    for (const place of await this.file.put(compressed)) level.tiles.push(place);
  }

  private fieldsOf({ width, height, tiles }: Level, downsample: number): TiffField[] {
    const { umPerPixel, description, red } = this.options;
    const { ascii, short, long, rational, long8 } = fieldTypes;
    const place = this.file.big ? long8 : long;
    const perCentimeter = [Math.round(1e7 / (umPerPixel * downsample)), 1000];
    return [
      // A reduced image of the first.
      { tag: 254, type: long, values: [downsample === 1 ? 0 : 1] },
      { tag: 256, type: long, values: [width] },
      { tag: 257, type: long, values: [height] },
      { tag: 258, type: short, values: red ? [8, 8, 8] : [8] },
      { tag: 259, type: short, values: [deflateCompression] },
      // RGB, or gray values of which 0 is black.
      { tag: 262, type: short, values: [red ? 2 : 1] },
      { tag: 270, type: ascii, values: [...Buffer.from(`${description}\0`)] },
      { tag: 277, type: short, values: [red ? 3 : 1] },
      { tag: 282, type: rational, values: perCentimeter },
      { tag: 283, type: rational, values: perCentimeter },
      { tag: 284, type: short, values: [1] },
      { tag: 296, type: short, values: [3] },
      { tag: 322, type: long, values: [tileSide] },
      { tag: 323, type: long, values: [tileSide] },
      { tag: 324, type: place, values: tiles.map(({ offset }) => offset) },
      { tag: 325, type: place, values: tiles.map(({ length }) => length) },
    ];
  }
}

/** Writes a mask that is in memory, `[height, width]`. */
export async function writeLabelTiff(path: string, mask: Uint8Array, options: LabelTiffOptions): Promise<void> {
  const writer = await LabelTiffWriter.create(path, options);
  try {
    await writer.write(mask);
    await writer.finish();
  } catch (error) {
    await writer.abandon();
    throw error;
  }
}

function levelSizes({ width, height }: LabelTiffOptions): { width: number; height: number }[] {
  const sizes = [{ width, height }];
  for (let last = sizes[0]!; Math.max(last.width, last.height) > tileSide; ) {
    last = { width: Math.ceil(last.width / levelStep), height: Math.ceil(last.height / levelStep) };
    sizes.push(last);
  }
  return sizes;
}

/** Whether the file could pass 4 GiB if its labels could not be compressed at all. */
function mayExceedClassic(options: LabelTiffOptions): boolean {
  // Bytes that cannot be compressed grow by less than a thousandth.
  const tileBytes = 1.001 * (options.red ? 3 : 1) * tileSide ** 2;
  const tiles = levelSizes(options).reduce(
    (sum, { width, height }) => sum + Math.ceil(width / tileSide) * Math.ceil(height / tileSide),
    0,
  );
  return tiles * tileBytes > maxClassicBytes;
}

import type { TissueMask } from '../slides/index.js';

/** Which pixels of a label image are tissue: each takes the mask's pixel at its center. */
export class TissueRows {
  /** Of each column and row of the image, the mask's. */
  private readonly columns: Int32Array;
  private readonly rows: Int32Array;
  private readonly line: Uint8Array;
  /** The mask's row that `line` was made of. */
  private lineOf = -1;

  /**
   * @param mask none where all is to count
   * @param size of the label image, px
   * @param downsample level-0 px for each pixel of the label image, along a side
   */
  constructor(
    private readonly mask: TissueMask | null,
    size: { width: number; height: number },
    downsample: number,
  ) {
    const places = (count: number, limit: number) =>
      Int32Array.from({ length: count }, (_, pixel) =>
        Math.min(limit - 1, Math.floor(((pixel + 0.5) * downsample) / (mask?.downsample ?? 1))),
      );
    this.columns = places(size.width, mask?.width ?? Infinity);
    this.rows = places(size.height, mask?.height ?? Infinity);
    this.line = new Uint8Array(size.width).fill(1);
  }

  /** 1 where a row's pixels are tissue, else 0, `[width]`; it holds until the next call. */
  of(row: number): Uint8Array {
    const { mask, columns, line } = this;
    if (!mask || this.rows[row] === this.lineOf) return line;
    this.lineOf = this.rows[row]!;
    const start = this.lineOf * mask.width;
    for (let column = 0; column < line.length; column++) line[column] = mask.data[start + columns[column]!]!;
    return line;
  }

  /** Whether there is tissue in a square; it may reach beyond the image. */
  isIn(left: number, top: number, side: number): boolean {
    const { mask, columns, rows } = this;
    if (!mask) return true;
    const [right, bottom] = [Math.min(columns.length, left + side) - 1, Math.min(rows.length, top + side) - 1];
    for (let row = rows[top]!; row <= rows[bottom]!; row++) {
      const start = row * mask.width;
      if (mask.data.subarray(start + columns[left]!, start + columns[right]! + 1).includes(1)) return true;
    }
    return false;
  }
}

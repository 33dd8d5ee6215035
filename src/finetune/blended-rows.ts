import type { TissueRows } from './tissue-rows.js';
import type { WindowAxis } from './windows.js';

/** A label image under way: what is known of the pixels that windows under way may still change. */
export interface BlendOptions {
  columns: WindowAxis;
  rows: WindowAxis;
  /** Side of a window, px. */
  size: number;
  /** How many; a pixel's label is a class's number. */
  classes: number;
}

/**
 * Adds up weighted class probabilities of windows, which come row by row, and gives the labels of rows that no further window
 * reaches. It holds as many rows as a window has: `size x width x classes` float32.
 */
export class BlendedRows {
  /** `[size, width, classes]`, from the row `top` on. */
  private readonly sums: Float32Array;
  private top = 0;

  constructor(private readonly options: BlendOptions) {
    this.sums = new Float32Array(options.size * options.columns.length * options.classes);
  }

  /**
   * Adds a window's probabilities. Rows above it must have been taken.
   *
   * @param probabilities `[size, size, classes]`
   * @param column, row number of the window along each side
   */
  add(probabilities: Float32Array, column: number, row: number): void {
    const { columns, rows, size, classes } = this.options;
    const [left, top] = [columns.starts[column]!, rows.starts[row]! - this.top];
    const [across, down] = [columns.weights[column]!, rows.weights[row]!];
    const [width, height] = [Math.min(size, columns.length - left), Math.min(size, rows.length - rows.starts[row]!)];
    if (top < 0 || top + height > size) throw new RangeError(`window row ${row} is not the one under way`);
    for (let y = 0; y < height; y++) {
      let from = y * size * classes;
      let to = ((top + y) * columns.length + left) * classes;
      for (let x = 0; x < width; x++) {
        const weight = down[y]! * across[x]!;
        for (let index = 0; index < classes; index++) this.sums[to++]! += weight * probabilities[from++]!;
      }
    }
  }

  /**
   * Ends the rows before one: no window is added there any more.
   *
   * @param tissue which pixels are to have a class; others get `outside`
   * @returns `[rows, width]`: the most probable class of each pixel, of several the first
   * @throws RangeError where a probability is not a number
   */
  take(end: number, tissue: TissueRows, outside: number): Uint8Array {
    const { columns, classes } = this.options;
    const width = columns.length;
    const rows = end - this.top;
    const labels = new Uint8Array(rows * width).fill(outside);
    for (let row = 0, pixel = 0; row < rows; row++) {
      const isIn = tissue.of(this.top + row);
      for (let column = 0; column < width; column++, pixel++) {
        if (!isIn[column]) continue;
        let most = this.sums[pixel * classes]!;
        let label = 0;
        for (let index = 1; index < classes; index++) {
          const sum = this.sums[pixel * classes + index]!;
          if (sum > most) [most, label] = [sum, index];
        }
        if (Number.isNaN(most)) {
          throw new RangeError(
            `the class probabilities at (${column}, ${this.top + row}) are not numbers: predict gave NaN or infinity`,
          );
        }
        labels[pixel] = label;
      }
    }
    this.sums.copyWithin(0, rows * width * classes);
    this.sums.fill(0, Math.max(0, this.sums.length - rows * width * classes));
    this.top = end;
    return labels;
  }
}

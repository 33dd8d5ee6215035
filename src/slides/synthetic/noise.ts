import type { Generator } from '../../base/index.js';

const side = 256;
const wrap = side - 1;

/** Random numbers on an endless lattice (of period 256), and smooth noise and scattered points made from them. */
export class Lattice {
  private readonly values = new Float32Array(side * side);

  constructor(random: Generator) {
    for (let index = 0; index < this.values.length; index++) this.values[index] = random.between(-1, 1);
  }

  /** The number at a lattice point, in [-1, 1). */
  at(column: number, row: number): number {
    return this.values[((row & wrap) << 8) | (column & wrap)]!;
  }

  /** Value noise in [-1, 1]: smooth, with features of size 1. */
  noise(x: number, y: number): number {
    const column = Math.floor(x);
    const row = Math.floor(y);
    const across = fade(x - column);
    const down = fade(y - row);
    const top = this.at(column, row) * (1 - across) + this.at(column + 1, row) * across;
    const bottom = this.at(column, row + 1) * (1 - across) + this.at(column + 1, row + 1) * across;
    return top * (1 - down) + bottom * down;
  }

  /**
   * Distances from (x, y) to the nearest and the second nearest of points that are scattered evenly: a hexagonal
   * grid of the given spacing, each point moved by up to `jitter` spacings.
   */
  nearest(x: number, y: number, spacing: number, jitter: number): { first: number; second: number } {
    const rowHeight = spacing * (Math.sqrt(3) / 2);
    const middleRow = Math.round(y / rowHeight);
    let first = Infinity;
    let second = Infinity;
    for (let row = middleRow - 2; row <= middleRow + 2; row++) {
      const shift = row & 1 ? 0.5 : 0;
      const middle = Math.round(x / spacing - shift);
      for (let column = middle - 2; column <= middle + 2; column++) {
        const pointX = (column + shift + jitter * this.at(column, row)) * spacing;
        const pointY = row * rowHeight + jitter * this.at(column + 101, row + 57) * spacing;
        const distance = (pointX - x) ** 2 + (pointY - y) ** 2;
        if (distance < first) {
          second = first;
          first = distance;
        } else if (distance < second) second = distance;
      }
    }
    return { first: Math.sqrt(first), second: Math.sqrt(second) };
  }
}

function fade(t: number): number {
  return t * t * (3 - 2 * t);
}

/** A grain that repeats every 512 px: noise of several sizes summed, mean 0, standard deviation 1. */
export class Grain {
  static readonly side = 512;
  /** Keeps an index within `values`. */
  static readonly mask = 512 * 512 - 1;
  readonly values: Float32Array;

  constructor(random: Generator) {
    const count = Grain.side * Grain.side;
    this.values = new Float32Array(count);
    // Octaves of 2, 4 and 8 px (1, 2 and 4 um at 0.5 um/px): finer than a nucleus, so no structure comes of it.
    for (const size of [2, 4, 8]) {
      const cells = Grain.side / size;
      const knots = new Float32Array(cells * cells);
      for (let index = 0; index < knots.length; index++) knots[index] = random.between(-1, 1);
      for (let y = 0; y < Grain.side; y++) {
        const row = Math.floor(y / size);
        const down = fade(y / size - row);
        const nextRow = (row + 1) % cells;
        for (let x = 0; x < Grain.side; x++) {
          const column = Math.floor(x / size);
          const across = fade(x / size - column);
          const nextColumn = (column + 1) % cells;
          const top = knots[row * cells + column]! * (1 - across) + knots[row * cells + nextColumn]! * across;
          const bottom =
            knots[nextRow * cells + column]! * (1 - across) + knots[nextRow * cells + nextColumn]! * across;
          this.values[y * Grain.side + x]! += top * (1 - down) + bottom * down;
        }
      }
    }
    let mean = 0;
    for (const value of this.values) mean += value / count;
    let variance = 0;
    for (const value of this.values) variance += (value - mean) ** 2 / count;
    const scale = 1 / Math.sqrt(variance);
    for (let index = 0; index < count; index++) this.values[index] = (this.values[index]! - mean) * scale;
  }
}

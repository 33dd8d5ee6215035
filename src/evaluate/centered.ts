import type { Features } from './features.js';

/** Mean of each feature over the rows. */
export function meanRow({ values, count, width }: Features): Float64Array {
  const mean = new Float64Array(width);
  for (let place = 0; place < values.length; place++) mean[place % width]! += values[place]! / count;
  return mean;
}

/** Rows minus the mean, of unit length: what cosines of features are taken of. A row that is the mean stays 0. */
export function centeredRows({ values, count, width }: Features, mean: Float64Array): Float32Array {
  const rows = values.map((value, place) => value - mean[place % width]!);
  for (let row = 0; row < count; row++) {
    const own = rows.subarray(row * width, (row + 1) * width);
    const norm = Math.sqrt(own.reduce((sum, value) => sum + value ** 2, 0));
    if (norm > 0) for (let column = 0; column < width; column++) own[column]! /= norm;
  }
  return rows;
}

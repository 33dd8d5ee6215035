import type { Features } from './features.js';

/** Of each feature over some rows, `[width]`: its mean, and what its deviations from it are multiplied by. */
export interface ColumnStatistics {
  mean: Float64Array;
  /** 1 / sqrt(variance + 1e-6), as in MAE's linear probe (arXiv 2111.06377, appendix A.1): of constant features too. */
  scale: Float64Array;
}

export function columnStatistics({ values, count, width }: Features): ColumnStatistics {
  const [mean, variance] = [new Float64Array(width), new Float64Array(width)];
  for (let place = 0; place < values.length; place++) mean[place % width]! += values[place]!;
  for (let column = 0; column < width; column++) mean[column]! /= count;
  for (let place = 0; place < values.length; place++) {
    variance[place % width]! += (values[place]! - mean[place % width]!) ** 2 / count;
  }
  return { mean, scale: variance.map((value) => 1 / Math.sqrt(value + 1e-6)) };
}

/**
 * Rows minus the mean.
 *
 * @throws RangeError for rows of another width
 */
export function centered(features: Features, { mean }: Pick<ColumnStatistics, 'mean'>): Features {
  const { values, width } = features;
  if (width !== mean.length) {
    throw new RangeError(`features of width ${width} cannot be compared with those of width ${mean.length}`);
  }
  return { ...features, values: values.map((value, place) => value - mean[place % width]!) };
}

/** The same, scaled. */
export function standardized(features: Features, statistics: ColumnStatistics): Features {
  const rows = centered(features, statistics);
  return { ...rows, values: rows.values.map((value, place) => value * statistics.scale[place % rows.width]!) };
}

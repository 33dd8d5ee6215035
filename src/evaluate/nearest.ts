import { type Tensor, tf } from '../engine/index.js';
import { checkFeatures, type Features, unitRows } from './features.js';
import { centered, columnStatistics } from './standardize.js';

/** Maximum number of similarities in memory: 64 MB of float32. */
const blockElements = 1 << 24;

export interface Nearest {
  /** Row of `bank`, most similar first. */
  rows: Int32Array;
  /** Cosine similarity in [-1, 1]. */
  similarities: Float32Array;
}

/**
 * The `count` rows of `bank` with the highest cosine similarity to each query, the mean of the bank's rows subtracted from all
 * rows first, as `knnClassify` finds them.
 *
 * @throws RangeError if the widths differ, the bank has fewer than `count` rows, or a number is not finite
 */
export async function nearestCentered(bank: Features, queries: Features, count: number): Promise<Nearest[]> {
  for (const features of [bank, queries]) checkFeatures(features, 'nearest neighbors');
  const statistics = columnStatistics(bank);
  const found: Nearest[] = [];
  for await (const { nearest } of nearestRows(centered(bank, statistics), centered(queries, statistics), count)) {
    for (const each of nearest) found.push(each);
  }
  return found;
}

/**
 * Exact search of the `count` rows of `bank` with the highest cosine similarity to each query. Yields blocks of queries
 * in order, in bounded memory.
 *
 * @throws RangeError if the widths differ, or the bank has fewer than `count` rows
 */
export async function* nearestRows(
  bank: Features,
  queries: Features,
  count: number,
): AsyncGenerator<{ start: number; nearest: Nearest[] }> {
  checkFeatures(bank, 'the bank of features');
  checkFeatures(queries, 'the query features');
  if (bank.width !== queries.width) {
    throw new RangeError(`features of width ${queries.width} cannot be compared with a bank of width ${bank.width}`);
  }
  if (!(Number.isInteger(count) && count > 0 && count <= bank.count)) {
    throw new RangeError(`${count} neighbors are more than the bank's ${bank.count} rows`);
  }
  const bankRows = unitRows(bank);
  const queryRows = unitRows(queries);
  const block = Math.max(1, Math.floor(blockElements / bank.count));
  try {
    for (let start = 0; start < queries.count; start += block) {
      const size = Math.min(block, queries.count - start);
      yield { start, nearest: await nearestOf(bankRows, queryRows, start, size, count) };
    }
  } finally {
    tf.dispose([bankRows, queryRows]);
  }
}

async function nearestOf(
  bank: Tensor,
  queries: Tensor,
  start: number,
  size: number,
  count: number,
): Promise<Nearest[]> {
  const top = tf.tidy(() => {
    const rows = tf.slice(queries, [start, 0], [size, -1]);
    return tf.topk(tf.matMul(rows, bank, false, true), count);
  });
  const similarities = await top.values.data<'float32'>();
  const rows = await top.indices.data<'int32'>();
  tf.dispose([top.values, top.indices]);
  return Array.from({ length: size }, (_, row) => ({
    rows: rows.slice(row * count, (row + 1) * count),
    similarities: similarities.slice(row * count, (row + 1) * count),
  }));
}

import type { DataFrame } from 'danfojs-node';
import { tf } from '../engine/index.js';
import { showTable, type TableOptions, type TableRow } from './table.js';

/**
 * Shows a table of results, writes it as CSV where `options.save` says so, and returns it as a danfojs frame for
 * further work with it.
 */
export async function showResults(rows: readonly TableRow[], options: TableOptions = {}): Promise<DataFrame> {
  await showTable(rows, options);
  return resultsFrame(rows);
}

/** Rows as a danfojs frame. */
export async function resultsFrame(rows: readonly TableRow[]): Promise<DataFrame> {
  // danfojs loads TensorFlow; ours must be there first, with the environment and repairs that it needs.
  void tf.version;
  const danfo = await import('danfojs-node');
  return new danfo.DataFrame([...rows]);
}

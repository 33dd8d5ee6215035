import type { DataFrame } from 'danfojs-node';
import { tf } from '../engine/index.js';

/** Results as a danfojs frame: `showTable` shows it and writes it as CSV. */
export async function resultsFrame(rows: readonly object[]): Promise<DataFrame> {
  // danfojs loads TensorFlow; ours must be there first, with the environment and repairs that it needs.
  void tf.version;
  const danfo = await import('danfojs-node');
  return new danfo.DataFrame([...rows]);
}

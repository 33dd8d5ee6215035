import type { DataFrame } from 'danfojs-node';
import { tf } from '../engine/index.js';

/** Results as a danfojs frame: `showTable` shows it and writes it as CSV. */
export async function resultsFrame(rows: readonly object[]): Promise<DataFrame> {
  // danfojs loads TensorFlow; pathlab's must be loaded first, with its environment and patches.
  void tf.version;
  const danfo = await import('danfojs-node');
  return new danfo.DataFrame([...rows]);
}

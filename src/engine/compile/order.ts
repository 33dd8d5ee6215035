import { executeOp, type Tensor } from '../runtime.js';
import type { Tensors } from '../tensors.js';
import { isRecording } from './recorder.js';

/**
 * The same tensors, available only after all of `after` have been computed: in a compiled step, ops run as soon as
 * their inputs are available, regardless of the order of calls. No gradient flows through it.
 */
export function withControlDependencies(tensors: Tensors, after: readonly Tensor[]): Tensors {
  if (!isRecording()) return tensors;
  const inputs = [...Object.values(tensors), ...after];
  // The one op of TensorFlow that hands on many tensors, and none before it has all.
  const outputs = executeOp('IdentityN', [], inputs, inputs.length);
  return Object.fromEntries(Object.keys(tensors).map((name, place) => [name, outputs[place]!]));
}

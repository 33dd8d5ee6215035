import { attribute, runOp, type Tensor } from '../engine/index.js';

/** One of two tensors of a shape, by a scalar that is read on the device. */
export function select(condition: Tensor, yes: Tensor, no: Tensor): Tensor {
  return runOp('SelectV2', [attribute.typeOf('T', yes)], [condition, yes, no]);
}

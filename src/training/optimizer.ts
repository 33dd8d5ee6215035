import type { Tensor, Tensors } from '../engine/index.js';

/** An optimizer as pure functions over records of tensors. */
export interface Optimizer {
  /** The state before the first step. */
  initialize(parameters: Tensors): Tensors;
  /**
   * @param scheduled scalar tensors, so that a recorded step takes each step's own: the learning rate, and the weight decay
   *   where it follows a schedule and not the optimizer's own setting; see `freezing` for the third
   */
  update(
    parameters: Tensors,
    gradients: Tensors,
    state: Tensors,
    scheduled: { readonly learningRate: Tensor; readonly weightDecay?: Tensor; readonly frozen?: Tensor },
  ): { parameters: Tensors; state: Tensors };
}

/** Biases and batch norm's scale and shift: parameters without weight decay and LARS adaptation. */
export function isBiasOrNorm(_name: string, parameter: Tensor): boolean {
  return parameter.rank < 2;
}

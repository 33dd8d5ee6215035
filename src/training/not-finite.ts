import { attribute, runOp, type Tensor, type Tensors, tf } from '../engine/index.js';

/** The sum of squares of each tensor, `[tensors]` in their order: not finite where one of its values is not. */
export function squaresOf(tensors: Tensors): Tensor {
  // Half of each sum, in one pass and without a copy.
  const halves = Object.values(tensors).map((tensor) => runOp('L2Loss', [attribute.typeOf('T', tensor)], [tensor]));
  return tf.stack(halves).mul(2);
}

/** Facts of a step with a loss or gradients that are not finite. */
export interface NonFiniteStep {
  /** Of the parameters, in the order of the network. */
  names: readonly string[];
  /** Of each parameter before the step. */
  parameterSquares: ArrayLike<number>;
  /** Of its gradient. */
  gradientSquares: ArrayLike<number>;
  lossIsFinite: boolean;
  /** After the step; of it, running statistics are looked at. */
  state: Tensors;
}

/**
 * Where values first became non-finite, in words. Weights before the step are checked first; then the forward pass, by
 * its running statistics; then the backward pass, from the last layer on.
 *
 * @returns undefined where a loss that is not finite left no trace: `describeLayer` looks for it
 */
export function describeFirstNonFinite({
  names,
  parameterSquares,
  gradientSquares,
  lossIsFinite,
  state,
}: NonFiniteStep): string | undefined {
  const isBroken = (squares: ArrayLike<number>) => (_: string, at: number) => !Number.isFinite(squares[at]!);
  const weight = names.find(isBroken(parameterSquares));
  if (weight !== undefined) return `the weights "${weight}", as the step before left them`;
  if (!lossIsFinite) {
    const statistics = Object.entries(state).filter(([name]) => /running_(mean|var)$/.test(name));
    const statistic = firstNotFinite(Object.fromEntries(statistics));
    return statistic && `the forward pass, which left "${statistic}" so`;
  }
  return `the gradient of "${names.findLast(isBroken(gradientSquares))}"`;
}

/** The name of the first tensor with a value that is not finite, if there is one; reads them. */
export function firstNotFinite(tensors: Tensors): string | undefined {
  return Object.entries(tensors).find(([, tensor]) => !allFinite(tensor))?.[0];
}

/** Whether all values are; reads them. */
export function allFinite(tensor: Tensor): boolean {
  return tf.tidy(() => tf.isFinite(tensor).all().dataSync()[0] === 1);
}

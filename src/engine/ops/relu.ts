import { attribute, runOp, type Tensor, withGradient } from '../runtime.js';

/** max(x, 0); of the gradient at 0, 0. */
export function relu(x: Tensor): Tensor {
  return withGradient([x], (save) => {
    const y = runOp('Relu', [attribute.typeOf('T', x)], [x]);
    save([y]);
    return { value: y, gradient: (dy, [y]) => [() => runOp('ReluGrad', [attribute.typeOf('T', dy)], [dy, y!])] };
  });
}

import { attribute, runOp, type Tensor, withGradient } from '../runtime.js';

/** max(x, 0); of the gradient at 0, 0. */
export function relu(x: Tensor): Tensor {
  return rectify(x, 'Relu');
}

/** The same, and no more than 6, as mobile networks have it; of the gradient at 6, 0. */
export function relu6(x: Tensor): Tensor {
  return rectify(x, 'Relu6');
}

function rectify(x: Tensor, op: 'Relu' | 'Relu6'): Tensor {
  return withGradient([x], (save) => {
    const y = runOp(op, [attribute.typeOf('T', x)], [x]);
    save([y]);
    return {
      value: y,
      gradient: (dy, [y]) => [() => runOp(`${op}Grad`, [attribute.typeOf('T', dy)], [dy, y!])],
    };
  });
}

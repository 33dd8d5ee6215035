import { attribute, runOp, type Tensor, withGradient } from '../runtime.js';

/**
 * Fully connected layer.
 *
 * @param x `[…, in]`
 * @param weight `[out, in]`, as PyTorch's Linear keeps it
 * @param bias `[out]`; none where batch norm follows
 */
export function dense(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  const [out, inputs] = weight.shape as [number, number];
  if (x.rank < 2 || x.shape.at(-1) !== inputs) {
    throw new RangeError(`dense: x is [${x.shape}], but the weight [${weight.shape}] takes ${inputs} inputs`);
  }
  const y = product(x.rank === 2 ? x : x.reshape([-1, inputs]), weight);
  const shifted = bias ? addBias(y, bias) : y;
  return x.rank === 2 ? shifted : shifted.reshape([...x.shape.slice(0, -1), out]);
}

/** x W^T, from two matrices. tfjs's own takes batches of matrices, which no other op fuses with. */
function product(x: Tensor, weight: Tensor): Tensor {
  return withGradient([x, weight], (save) => {
    save([x, weight]);
    return {
      value: multiply(x, weight, false, true),
      gradient: (dy, [x, weight]) => [() => multiply(dy, weight!, false, false), () => multiply(dy, x!, true, false)],
    };
  });
}

function multiply(a: Tensor, b: Tensor, transposeA: boolean, transposeB: boolean): Tensor {
  return runOp(
    'MatMul',
    [
      attribute.type('T', 'float32'),
      attribute.bool('transpose_a', transposeA),
      attribute.bool('transpose_b', transposeB),
    ],
    [a, b],
  );
}

/** x + bias for each channel, the last dimension; an op of its own, which TensorFlow fuses with the one before it. */
export function addBias(x: Tensor, bias: Tensor): Tensor {
  const attributes = [attribute.type('T', 'float32'), attribute.string('data_format', 'NHWC')];
  return withGradient([x, bias], () => ({
    value: runOp('BiasAdd', attributes, [x, bias]),
    gradient: (dy) => [() => dy.clone(), () => runOp('BiasAddGrad', attributes, [dy])],
  }));
}

import { hasCustomOps } from '../custom-ops.js';
import { attribute, executeOp, runOp, type Tensor, tf, withGradient } from '../runtime.js';

export type Activation = 'relu' | 'gelu' | 'gelu-tanh';

const ops: Record<Activation, string> = {
  relu: 'PathlabBiasRelu',
  gelu: 'PathlabBiasGelu',
  'gelu-tanh': 'PathlabBiasGeluTanh',
};

/**
 * activation(x + bias), and its gradient with that of the bias, in one pass over memory each.
 *
 * @param x `[…, columns]`
 * @param bias `[columns]`
 */
export function biasActivation(x: Tensor, bias: Tensor, activation: Activation): Tensor {
  if (!(activation in ops)) {
    throw new RangeError(`biasActivation knows ${Object.keys(ops).join(', ')}; got "${activation as string}"`);
  }
  if (String(bias.shape) !== String([x.shape.at(-1)])) {
    throw new RangeError(`biasActivation: x is [${x.shape}], so bias is [${x.shape.at(-1)}]; it is [${bias.shape}]`);
  }
  if (!hasCustomOps()) return composedBiasActivation(x, bias, activation);
  const type = [attribute.type('T', 'float32')];
  return withGradient([x, bias], (save) => {
    save([x, bias]);
    return {
      value: runOp(ops[activation], type, [x, bias]),
      gradient: (dy, saved) =>
        executeOp(`${ops[activation]}Grad`, type, [dy, ...saved], 2).map((gradient) => () => gradient),
    };
  });
}

/** The same from TensorFlow's own ops. */
export function composedBiasActivation(x: Tensor, bias: Tensor, activation: Activation): Tensor {
  const shifted = x.add(bias) as Tensor;
  if (activation === 'relu') return tf.relu(shifted);
  return activation === 'gelu' ? composedGelu(shifted) : composedGelu(shifted, { approximate: 'tanh' });
}

export interface GeluOptions {
  /** `tanh` for the paper's approximation, as in PyTorch. */
  approximate?: 'none' | 'tanh';
}

/** Gaussian error linear unit: x times the normal distribution's cumulative (Hendrycks and Gimpel, 2016; arXiv 1606.08415). */
export function gelu(x: Tensor, { approximate = 'none' }: GeluOptions = {}): Tensor {
  if (!hasCustomOps() || x.rank === 0) return composedGelu(x, { approximate });
  return biasActivation(x, tf.zeros([x.shape.at(-1)!]), approximate === 'tanh' ? 'gelu-tanh' : 'gelu');
}

/** The same from TensorFlow's own ops. */
export function composedGelu(x: Tensor, { approximate = 'none' }: GeluOptions = {}): Tensor {
  if (approximate === 'none') return x.mul(tf.erf(x.mul(Math.SQRT1_2)).add(1)).mul(0.5);
  const inner = x.add(x.mul(x).mul(x).mul(0.044715)).mul(Math.sqrt(2 / Math.PI));
  return x.mul(tf.tanh(inner).add(1)).mul(0.5);
}

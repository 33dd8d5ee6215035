import { hasCustomOps } from '../custom-ops.js';
import { attribute, executeOp, type Tensor, tf, withGradient } from '../runtime.js';

export interface LayerNormParameters {
  /** Scale, `[columns]`. */
  weight: Tensor;
  /** Shift, `[columns]`. */
  bias: Tensor;
}

/**
 * Layer normalization over the last axis (Ba et al., 2016; arXiv 1607.06450), as PyTorch's LayerNorm: with the biased
 * variance.
 *
 * @param x `[…, columns]`
 * @param options.epsilon added to the variance; ViTs take 1e-6
 */
export function layerNorm(x: Tensor, { weight, bias }: LayerNormParameters, { epsilon = 1e-5 } = {}): Tensor {
  const columns = x.shape.at(-1);
  if (String(weight.shape) !== String([columns]) || String(bias.shape) !== String([columns])) {
    throw new RangeError(
      `layerNorm: x is [${x.shape}], so weight and bias are [${columns}]; they are [${weight.shape}] and [${bias.shape}]`,
    );
  }
  if (!hasCustomOps()) return composedLayerNorm(x, { weight, bias }, { epsilon });
  const type = attribute.type('T', 'float32');
  return withGradient([x, weight, bias], (save) => {
    const attributes = [type, attribute.float('epsilon', epsilon)];
    const [y, ...statistics] = executeOp('PathlabLayerNorm', attributes, [x, weight, bias], 3);
    save([x, weight, ...statistics]);
    return {
      value: y!,
      gradient: (dy, saved) =>
        executeOp('PathlabLayerNormGrad', [type], [dy, ...saved], 3).map((gradient) => () => gradient),
    };
  });
}

/** The same from TensorFlow's own ops. */
export function composedLayerNorm(x: Tensor, { weight, bias }: LayerNormParameters, { epsilon = 1e-5 } = {}): Tensor {
  const centered = x.sub(x.mean(-1, true));
  const variance = centered.square().mean(-1, true);
  return centered
    .mul(tf.rsqrt(variance.add(epsilon)))
    .mul(weight)
    .add(bias);
}

import { attribute, executeOp, type Tensor, tf, withGradient } from '../runtime.js';

export interface BatchNormParameters {
  /** Scale, `[channels]`. */
  weight: Tensor;
  /** Shift, `[channels]`. */
  bias: Tensor;
}

/** Statistics for inference, `[channels]` each. */
export interface RunningStatistics {
  mean: Tensor;
  variance: Tensor;
}

/**
 * Batch normalization in training (Ioffe and Szegedy, 2015, algorithm 1; arXiv 1502.03167), as PyTorch's BatchNorm2d:
 * the batch is normalized with its biased variance, the running variance takes the unbiased one.
 *
 * @param x `[batch, height, width, channels]`
 * @param momentum weight of this batch in the running statistics
 * @returns the normalized tensor, and the running statistics after this batch (no gradient flows to them)
 * @throws RangeError if a channel has a single value: its variance is not defined
 */
export function batchNormTraining(
  x: Tensor,
  { weight, bias }: BatchNormParameters,
  running: RunningStatistics,
  { epsilon = 1e-5, momentum = 0.1 } = {},
): { y: Tensor; running: RunningStatistics } {
  const valuesPerChannel = x.size / x.shape[3]!;
  if (valuesPerChannel < 2) {
    throw new RangeError(`batch norm in training needs more than one value a channel; x is [${x.shape}]`);
  }
  let batchMean: Tensor | undefined;
  let batchVariance: Tensor | undefined;
  const y = withGradient([x, weight, bias], (save) => {
    const none = tf.tensor1d([], 'float32');
    const attributes = [...normAttributes(epsilon, true), attribute.float('exponential_avg_factor', 1)];
    const outputs = executeOp('FusedBatchNormV3', attributes, [x, weight, bias, none, none], 6);
    const [value, mean, variance, ...reserved] = outputs as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor];
    // These two leave the op's scope beside its value.
    batchMean = tf.keep(mean);
    batchVariance = tf.keep(variance);
    save([x, weight, ...reserved]);
    return {
      value,
      gradient: (dy, saved) => {
        const outputs = executeOp('FusedBatchNormGradV3', normAttributes(epsilon, true), [dy, ...saved], 5);
        return outputs.slice(0, 3).map((gradient) => () => gradient);
      },
    };
  });
  const blended = tf.tidy(() => ({
    mean: running.mean.mul(1 - momentum).add(batchMean!.mul(momentum)),
    // FusedBatchNormV3 gives the unbiased variance.
    variance: running.variance.mul(1 - momentum).add(batchVariance!.mul(momentum)),
  }));
  tf.dispose([batchMean!, batchVariance!]);
  return { y, running: blended };
}

/** Batch normalization with fixed statistics; shapes as in `batchNormTraining`. */
export function batchNormInference(
  x: Tensor,
  { weight, bias }: BatchNormParameters,
  { mean, variance }: RunningStatistics,
  { epsilon = 1e-5 } = {},
): Tensor {
  // Two passes over x, and every part has a gradient: fine-tuning with frozen statistics needs it.
  const scale = weight.mul(tf.rsqrt(variance.add(epsilon)));
  return x.mul(scale).add(bias.sub(mean.mul(scale)));
}

function normAttributes(epsilon: number, training: boolean) {
  return [
    attribute.type('T', 'float32'),
    attribute.type('U', 'float32'),
    attribute.float('epsilon', epsilon),
    attribute.string('data_format', 'NHWC'),
    attribute.bool('is_training', training),
  ];
}

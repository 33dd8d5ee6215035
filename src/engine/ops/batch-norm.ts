import { hasCustomOps } from '../custom-ops.js';
import { replicaScope } from '../replica-scope.js';
import { attribute, binding, executeOp, type Tensor, tf, withGradient } from '../runtime.js';
import { relu } from './relu.js';
import { synchronizedNorm } from './synchronized-norm.js';

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

export interface BatchNormOptions {
  /** Added to the variance. */
  epsilon?: number;
  /** Weight of this batch in the running statistics. */
  momentum?: number;
  /** Added to the normalized tensor, before the relu: the shortcut of a residual block. Shape of `x`. */
  shortcut?: Tensor;
  /** Whether relu follows. */
  relu?: boolean;
}

/**
 * Batch normalization in training (Ioffe and Szegedy, 2015, algorithm 1; arXiv 1502.03167), as PyTorch's BatchNorm2d:
 * the batch is normalized with its biased variance, the running variance takes the unbiased one. A shortcut and relu
 * that follow are named here, because one op then does all of it in as few passes over memory as the norm alone takes.
 * Among replicas whose statistics are synchronized it is `synchronizedNorm`.
 *
 * @param x `[batch, height, width, channels]`
 * @returns the tensor after norm, shortcut and relu, and the running statistics after this batch (no gradient flows to
 *   them)
 * @throws RangeError if a channel has a single value: its variance is not defined
 */
export function batchNormTraining(
  x: Tensor,
  parameters: BatchNormParameters,
  running: RunningStatistics,
  options: BatchNormOptions = {},
): { y: Tensor; running: RunningStatistics } {
  const { shortcut } = options;
  const exchange = replicaScope()?.statistics;
  if (!exchange) requireVariance(x);
  if (shortcut && String(shortcut.shape) !== String(x.shape)) {
    throw new RangeError(`batch norm adds a shortcut of x's shape, [${x.shape}]; it is [${shortcut.shape}]`);
  }
  const normalize = hasCustomOps() ? fusedNorm : composedNorm;
  const { y, mean, variance } = exchange
    ? synchronizedNorm(x, parameters, options, exchange)
    : normalize(x, parameters, options);
  return { y, running: updatedStatistics(running, { mean, variance }, options.momentum) };
}

/** @throws RangeError if a channel of x has a single value */
export function requireVariance(x: Tensor): void {
  if (x.size / x.shape[3]! < 2) {
    throw new RangeError(`batch norm in training needs more than one value a channel; x is [${x.shape}]`);
  }
}

/** The running statistics after a batch, whose own are disposed of. */
export function updatedStatistics(running: RunningStatistics, batch: RunningStatistics, momentum = 0.1) {
  const moved = tf.tidy(() => ({
    mean: running.mean.mul(1 - momentum).add(batch.mean.mul(momentum)),
    variance: running.variance.mul(1 - momentum).add(batch.variance.mul(momentum)),
  }));
  tf.dispose([batch.mean, batch.variance]);
  return moved as RunningStatistics;
}

/** `y` and the batch's own statistics, the variance unbiased; the two belong to the caller. */
interface Normalized extends RunningStatistics {
  y: Tensor;
}

/** With pathlab's own op (kernel-setup/native/ops/batch_norm.cc). */
function fusedNorm(x: Tensor, { weight, bias }: BatchNormParameters, options: BatchNormOptions): Normalized {
  const { epsilon = 1e-5, shortcut, relu = false } = options;
  const shortcuts = shortcut ? [shortcut] : [];
  const attributes = [
    attribute.type('T', 'float32'),
    attribute.bool('relu', relu),
    attribute.int('shortcuts', shortcuts.length),
  ];
  let statistics: Tensor[] = [];
  const y = withGradient([x, weight, bias, ...shortcuts], (save) => {
    const outputs = executeOp(
      'PathlabBatchNorm',
      [...attributes, attribute.float('epsilon', epsilon)],
      [x, weight, bias, ...shortcuts],
      4,
    );
    const [value, mean, variance, inverseDeviation] = outputs as [Tensor, Tensor, Tensor, Tensor];
    // These two leave the op's scope beside its value.
    statistics = [tf.keep(mean), tf.keep(variance)];
    // Where nothing is added, the op works out from x where relu let the value pass.
    const reluSeen = shortcuts.length > 0 && relu ? [value] : [];
    save([x, weight, bias, mean, inverseDeviation, ...reluSeen]);
    return {
      value,
      gradient: (dy, saved) => {
        // Without relu the shortcut's gradient is dy itself, and the op need not know of it.
        const count = reluSeen.length;
        const own = [attributes[0]!, attributes[1]!, attribute.int('shortcuts', count)];
        const gradients = executeOp('PathlabBatchNormGrad', own, [dy, ...saved], 3 + count);
        const behind = shortcuts.length > count ? [dy] : [];
        return [...gradients, ...behind].map((gradient) => () => gradient);
      },
    };
  });
  return { y, mean: statistics[0]!, variance: statistics[1]! };
}

/**
 * The same from TensorFlow's ops. Its kernel on the CPU loses the variance where the mean is far from 0 (at 1e5
 * deviations nothing is left), so it is given the values less their channel's first one.
 */
export function composedNorm(
  given: Tensor,
  { weight, bias }: BatchNormParameters,
  options: BatchNormOptions,
): Normalized {
  const { epsilon = 1e-5, shortcut } = options;
  const first = binding().isUsingGpuDevice() ? undefined : given.slice([0, 0, 0, 0], [1, 1, 1, given.shape[3]!]);
  let statistics: Tensor[] = [];
  const normalized = withGradient([given, weight, bias], (save) => {
    const x = first ? given.sub(first) : given;
    const none = tf.tensor1d([], 'float32');
    const attributes = [...normAttributes(epsilon, true), attribute.float('exponential_avg_factor', 1)];
    const outputs = executeOp('FusedBatchNormV3', attributes, [x, weight, bias, none, none], 6);
    const [value, mean, variance, ...reserved] = outputs as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor];
    // FusedBatchNormV3 gives the unbiased variance. These two leave the op's scope beside its value.
    statistics = [tf.keep(first ? mean.add(first.reshape([-1])) : mean), tf.keep(variance)];
    save([x, weight, ...reserved]);
    return {
      value,
      gradient: (dy, saved) => {
        const outputs = executeOp('FusedBatchNormGradV3', normAttributes(epsilon, true), [dy, ...saved], 5);
        return outputs.slice(0, 3).map((gradient) => () => gradient);
      },
    };
  });
  const sum = shortcut ? normalized.add(shortcut) : normalized;
  return { y: options.relu ? relu(sum) : sum, mean: statistics[0]!, variance: statistics[1]! };
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

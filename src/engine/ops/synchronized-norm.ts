import { hasCustomOps } from '../custom-ops.js';
import type { StatisticsExchange } from '../replica-scope.js';
import { attribute, executeOp, type Tensor, tf, withGradient } from '../runtime.js';

interface Parameters {
  weight: Tensor;
  bias: Tensor;
}

interface Options {
  epsilon?: number;
  shortcut?: Tensor;
  relu?: boolean;
}

interface Normalized {
  y: Tensor;
  mean: Tensor;
  variance: Tensor;
}

/**
 * Batch norm with the statistics of the rows of all replicas, as `batchNormTraining` on all of them: each one's mean, sum
 * of squared deviations and number are joined (Chan et al., 1979), so that nothing cancels. A replica without rows takes
 * part. The gradient of the rows here is that of the sum of all replicas' losses; that of weight and bias is of the loss
 * here.
 *
 * @param x `[batch, height, width, channels]`
 * @param parameters of `[channels]`
 * @param options as `batchNormTraining`
 * @returns `y`, and the statistics of all rows, the variance unbiased; the two belong to the caller
 */
export function synchronizedNorm(
  x: Tensor,
  parameters: Parameters,
  options: Options,
  exchange: StatisticsExchange,
): Normalized {
  return (hasCustomOps() ? fusedNorm : composedNorm)(x, parameters, options, exchange);
}

/** With pathlab's own ops (kernel-setup/native/ops/synchronized_batch_norm.cc). */
function fusedNorm(
  x: Tensor,
  { weight, bias }: Parameters,
  { epsilon = 1e-5, shortcut, relu = false }: Options,
  exchange: StatisticsExchange,
): Normalized {
  const shortcuts = shortcut ? [shortcut] : [];
  const type = attribute.type('T', 'float32');
  const relus = [type, attribute.bool('relu', relu)];
  let statistics: Tensor[] = [];
  const y = withGradient([x, weight, bias, ...shortcuts], (save) => {
    const own = executeOp('PathlabRowStatistics', [type], [x], 2);
    const rows = tf.fill([1], x.size / x.shape[3]!);
    const joined = exchange.gather(tf.concat([...own, rows]).expandDims(0) as Tensor);
    const attributes = [...relus, attribute.int('shortcuts', shortcuts.length), attribute.float('epsilon', epsilon)];
    const outputs = executeOp('PathlabJoinedBatchNorm', attributes, [x, weight, bias, joined, ...shortcuts], 4);
    const [value, mean, variance, inverse] = outputs as [Tensor, Tensor, Tensor, Tensor];
    // These two leave the op's scope beside its value.
    statistics = [tf.keep(mean), tf.keep(variance)];
    // Where nothing is added, the ops work out from x where relu let the value pass.
    const reluSeen = shortcuts.length > 0 && relu ? [value] : [];
    save([x, weight, bias, mean, inverse, joined, ...reluSeen]);
    return {
      value,
      gradient: (dy, [x, weight, bias, mean, inverse, joined, ...reluSeen]) => {
        const count = reluSeen.length;
        const norm = [x!, weight!, bias!, mean!, inverse!];
        const [sum, product, behind = dy] = executeOp(
          'PathlabRowGradientSums',
          [...relus, attribute.int('shortcuts', count)],
          [dy, ...norm, ...reluSeen],
          2 + count,
        ) as [Tensor, Tensor, Tensor?];
        const dx = () => {
          const ofAll = exchange.sum(tf.stack([sum, product]));
          // Behind the relu already, where it is written.
          const attributes = count > 0 ? [type, attribute.bool('relu', false)] : relus;
          return executeOp('PathlabJoinedBatchNormGrad', attributes, [behind, ...norm, ofAll, joined!], 1)[0]!;
        };
        return [dx, () => product.mul(inverse!) as Tensor, () => sum, ...shortcuts.map(() => () => behind)];
      },
    };
  });
  return { y, mean: statistics[0]!, variance: statistics[1]! };
}

/** The same from TensorFlow's ops. */
function composedNorm(
  x: Tensor,
  { weight, bias }: Parameters,
  { epsilon = 1e-5, shortcut, relu = false }: Options,
  exchange: StatisticsExchange,
): Normalized {
  const shortcuts = shortcut ? [shortcut] : [];
  let statistics: Tensor[] = [];
  const y = withGradient([x, weight, bias, ...shortcuts], (save) => {
    const { mean, squares, count } = joined(x, exchange);
    const inverse = squares.div(count).add(epsilon).rsqrt();
    let value = x.sub(mean).mul(inverse.mul(weight)).add(bias);
    if (shortcut) value = value.add(shortcut);
    if (relu) value = value.relu();
    // These two leave the op's scope beside its value.
    statistics = [tf.keep(mean.clone()), tf.keep(squares.div(count.sub(1)) as Tensor)];
    save([x, weight, mean, inverse, count, ...(relu ? [value] : [])]);
    return {
      value,
      gradient: (dy, [x, weight, mean, inverse, count, value]) => {
        const dz = value ? executeOp('ReluGrad', [attribute.typeOf('T', dy)], [dy, value], 1)[0]! : dy;
        const deviations = x!.sub(mean!);
        const [sum, product] = [sumRows(dz), sumRows(dz.mul(deviations))];
        const dx = () => {
          const [ofAll, productOfAll] = tf.unstack(exchange.sum(tf.stack([sum, product]))) as [Tensor, Tensor];
          const slope = productOfAll.div(count!).mul(inverse!.square());
          return dz.sub(ofAll.div(count!)).sub(deviations.mul(slope)).mul(inverse!.mul(weight!)) as Tensor;
        };
        return [dx, () => product.mul(inverse!) as Tensor, () => sum, ...shortcuts.map(() => () => dz)];
      },
    };
  });
  return { y, mean: statistics[0]!, variance: statistics[1]! };
}

/** Mean and sum of squared deviations, `[channels]`, and number of values a channel, a scalar, of all replicas. */
function joined(x: Tensor, exchange: StatisticsExchange): { mean: Tensor; squares: Tensor; count: Tensor } {
  const channels = x.shape[3]!;
  const values = x.size / channels;
  const mean = sumRows(x).div(Math.max(values, 1));
  const squares = sumRows(x.sub(mean).square());
  const own = tf.concat([mean, squares, tf.fill([1], values)]).expandDims(0) as Tensor;
  const [means, sums, counts] = tf.split(exchange.gather(own), [channels, channels, 1], 1) as [Tensor, Tensor, Tensor];
  const count = counts.sum();
  const meanOfAll = means.mul(counts).sum(0).div(count) as Tensor;
  const between = means.sub(meanOfAll).square().mul(counts);
  return { mean: meanOfAll, squares: sums.add(between).sum(0), count };
}

/** Over all but the last dimension. */
function sumRows(x: Tensor): Tensor {
  return x.sum([0, 1, 2]);
}

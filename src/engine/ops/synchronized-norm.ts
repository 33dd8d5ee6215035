import type { StatisticsExchange } from '../replica-scope.js';
import { attribute, executeOp, type Tensor, tf, withGradient } from '../runtime.js';

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
  { weight, bias }: { weight: Tensor; bias: Tensor },
  { epsilon = 1e-5, shortcut, relu = false }: { epsilon?: number; shortcut?: Tensor; relu?: boolean },
  exchange: StatisticsExchange,
): { y: Tensor; mean: Tensor; variance: Tensor } {
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

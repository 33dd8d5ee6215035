import { compile, gradients, type Tensor, tf } from '../engine/index.js';
import { checkFeatures, type Features } from './features.js';
import { minimize } from './lbfgs.js';
import { checkLabels } from './metrics/confusion.js';
import { columnStatistics, standardized } from './standardize.js';

/** A linear classifier on features. */
export interface LogisticRegression {
  /** `[classes, width]`, row-major, and `[classes]`: of features as they come. */
  weights: Float32Array;
  bias: Float32Array;
  classes: number;
  width: number;
  /** Inverse strength of the regularization. */
  cost: number;
  iterations: number;
  /** Whether the gradient fell below the tolerance. */
  converged: boolean;
}

/**
 * Logistic regression on frozen features: the linear probe of UNI (Chen et al., 2024, doi 10.1038/s41591-024-02857-3,
 * methods), trained to convergence by L-BFGS. It minimizes the mean cross entropy + |weights|^2 / (2 cost); the bias is
 * free. Features are standardized by the training rows first (see `columnStatistics`), so that one cost fits features of
 * any scale.
 *
 * @param labels `[rows]`, each 0 to classes - 1
 * @param options.cost UNI's by default: width x classes / 100
 * @param options.classWeights `[classes]`: the mean is weighted by them; equal by default
 * @throws RangeError on shapes that do not fit, labels out of range, or a cost that is not above 0
 */
export async function fitLogisticRegression(
  features: Features,
  labels: Int32Array,
  options: {
    classes: number;
    cost?: number;
    classWeights?: ArrayLike<number>;
    maxIterations?: number;
    /** Of the largest element of the gradient; 1e-4 as in scikit-learn. */
    tolerance?: number;
  },
): Promise<LogisticRegression> {
  const { classes, maxIterations = 1000, tolerance = 1e-4 } = options;
  const { count, width } = features;
  checkFeatures(features, 'logistic regression');
  checkLabels(labels, count, classes, 'labels');
  const cost = options.cost ?? (width * classes) / 100;
  if (!(cost > 0 && cost < Infinity)) throw new RangeError(`cost must be a number above 0; got ${cost}`);
  const statistics = columnStatistics(features);
  const { mean, scale } = statistics;
  const weightOf = (label: number) => options.classWeights?.[label] ?? 1;
  const total = labels.reduce((sum, label) => sum + weightOf(label), 0);
  const data = tf.tidy(() => ({
    x: tf.tensor2d(standardized(features, statistics).values, [count, width]) as Tensor,
    y: tf.oneHot(tf.tensor1d(labels, 'int32'), classes).toFloat() as Tensor,
    share: tf.tensor1d(Float32Array.from(labels, (label) => weightOf(label) / total)) as Tensor,
  }));
  const lossAndGradient = compile((parameters: { weights: Tensor; bias: Tensor }, { x, y, share }: typeof data) =>
    gradients(parameters, ({ weights, bias }) => {
      const logits = tf.matMul(x, weights!, false, true).add(bias!);
      const crossEntropy = tf.logSumExp(logits, 1).sub(logits.mul(y).sum(1)).mul(share).sum();
      return {
        loss: crossEntropy.add(
          weights!
            .square()
            .sum()
            .div(2 * cost),
        ) as Tensor,
        extra: {},
      };
    }),
  );
  try {
    const solution = await minimize(
      async (point) => {
        const parameters = {
          weights: tf.tensor2d(Float32Array.from(point.subarray(0, classes * width)), [classes, width]) as Tensor,
          bias: tf.tensor1d(Float32Array.from(point.subarray(classes * width))) as Tensor,
        };
        const { loss, gradients: slopes } = await lossAndGradient(parameters, data);
        const [value, weights, bias] = await Promise.all([
          loss.data<'float32'>(),
          slopes.weights!.data<'float32'>(),
          slopes.bias!.data<'float32'>(),
        ]);
        tf.dispose([parameters, loss, slopes]);
        return { value: value[0]!, gradient: Float64Array.of(...weights, ...bias) };
      },
      new Float64Array(classes * width + classes),
      { maxIterations, tolerance },
    );
    // Back to features as they come.
    const weights = Float32Array.from(
      { length: classes * width },
      (_, place) => solution.point[place]! * scale[place % width]!,
    );
    const bias = Float32Array.from({ length: classes }, (_, label) => {
      let shift = 0;
      for (let column = 0; column < width; column++) shift += weights[label * width + column]! * mean[column]!;
      return solution.point[classes * width + label]! - shift;
    });
    const { iterations, converged } = solution;
    return { weights, bias, classes, width, cost, iterations, converged };
  } finally {
    lossAndGradient.dispose();
    tf.dispose(data);
  }
}

/**
 * Class probabilities of feature vectors.
 *
 * @returns `[rows, classes]`, row-major
 * @throws RangeError for features of another width
 */
export async function predictProbabilities(
  { weights, bias, classes, width }: LogisticRegression,
  features: Features,
): Promise<Float32Array> {
  checkFeatures(features, 'logistic regression');
  if (features.width !== width) throw new RangeError(`features have width ${features.width}, the classifier ${width}`);
  const probabilities = tf.tidy(() => {
    const rows = tf.tensor2d(features.values, [features.count, width]);
    return tf.softmax(
      tf.matMul(rows, tf.tensor2d(weights, [classes, width]), false, true).add(tf.tensor1d(bias)),
    ) as Tensor;
  });
  try {
    return await probabilities.data<'float32'>();
  } finally {
    probabilities.dispose();
  }
}

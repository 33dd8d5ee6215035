import { expect } from 'vitest';
import { key } from '../../src/base/index.js';
import { compile, type Tensor, tf } from '../../src/engine/index.js';

type Compute = (inputs: Tensor[]) => Tensor;

export interface GradientCheck {
  /** Largest error, relative to what a derivative along a random direction measures. */
  tolerance?: number;
  seed?: string;
  /** Deviation of the inputs, which are normal. */
  scale?: number;
  /**
   * The same function from ops that TensorFlow has in float64, for one whose own op it has not: its numeric gradient
   * is then compared with the function's own gradient in float32, so the tolerance is that of float32, 1e-5.
   */
  twin?: Compute;
}

/** Half the distance of the two points of a central difference; a power of two, so that it is exact. */
const step = 2 ** -16;
const directions = 2;

/**
 * Compares the gradient of sum(y * weighting) with central differences along random directions, one input at a time,
 * so that an error in a small gradient cannot hide behind a large one. Both are computed in float64.
 *
 * @param compute a smooth function, but for a few kinks
 */
export async function checkGradient(compute: Compute, shapes: number[][], options: GradientCheck = {}): Promise<void> {
  const { twin, seed = 'gradient', scale = 1, tolerance = twin ? 1e-5 : 1e-7 } = options;
  const random = key(seed).generator();
  const draw = (shape: number[], deviation: number) => {
    const count = shape.reduce((a, b) => a * b, 1);
    return tf.tensor(
      Float32Array.from({ length: count }, () => deviation * random.normal()),
      shape,
    );
  };
  const inputs = shapes.map((shape) => draw(shape, scale));
  const weighting = draw(compute(inputs).shape, 1);
  const along = inputs.map((input) => Array.from({ length: directions }, () => draw(input.shape, 1)));

  const [analytic, numeric] = twin
    ? [await derivatives(analyticOf(compute), 'float32'), await derivatives(numericOf(twin), 'float64')]
    : await derivatives((...given) => [analyticOf(compute)(...given), numericOf(compute)(...given)], 'float64');

  for (const [which, exact] of analytic!.entries()) {
    for (const [direction, { value, size }] of exact.entries()) {
      const estimate = numeric![which]![direction]!.value;
      expect(Math.abs(estimate - value), `input ${which}: the gradient gives ${value}, differences give ${estimate}`)
        // A derivative of 0 is one that nothing depends on.
        .toBeLessThanOrEqual(tolerance * size + 1e-12);
    }
  }

  /** Runs the step in the precision, and reads what it gives. */
  async function derivatives<Output>(
    derive: (inputs: Tensor[], along: Tensor[][], weighting: Tensor) => Output,
    precision: 'float32' | 'float64',
  ): Promise<Read<Output>> {
    const compiled = compile(derive, { precision, name: 'gradientCheck' });
    try {
      return read(await compiled(inputs, along, weighting)) as Read<Output>;
    } finally {
      compiled.dispose();
    }
  }
}

type Read<Output> = Output extends Tensor ? number : { [Name in keyof Output]: Read<Output[Name]> };

function read(tree: unknown): unknown {
  if (tree instanceof tf.Tensor) return tree.dataSync()[0];
  if (Array.isArray(tree)) return tree.map(read);
  return Object.fromEntries(Object.entries(tree as object).map(([name, child]) => [name, read(child)]));
}

interface Derivative {
  value: Tensor;
  /** What a derivative along a direction of this length usually measures. */
  size: Tensor;
}

const lossOf = (compute: Compute, weighting: Tensor) => (tensors: Tensor[]) =>
  compute(tensors).mul(weighting).sum().asScalar();

function analyticOf(compute: Compute) {
  return (inputs: Tensor[], along: Tensor[][], weighting: Tensor): Derivative[][] => {
    const loss = lossOf(compute, weighting);
    const { grads } = tf.valueAndGrads((...tensors: Tensor[]) => loss(tensors))(inputs);
    return grads.map((gradient, which) =>
      along[which]!.map((direction) => ({
        value: gradient.mul(direction).sum(),
        size: gradient.norm().mul(direction.norm()).div(Math.sqrt(gradient.size)) as Tensor,
      })),
    );
  };
}

function numericOf(compute: Compute) {
  return (inputs: Tensor[], along: Tensor[][], weighting: Tensor): { value: Tensor }[][] => {
    const loss = lossOf(compute, weighting);
    const at = (which: number, direction: Tensor, distance: number) =>
      loss(inputs.map((input, i) => (i === which ? input.add(direction.mul(distance)) : input)));
    return along.map((directions, which) =>
      directions.map((direction) => ({
        value: at(which, direction, step)
          .sub(at(which, direction, -step))
          .div(2 * step) as Tensor,
      })),
    );
  };
}

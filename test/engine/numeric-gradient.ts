import { expect } from 'vitest';
import { type Tensor, tf } from '../../src/engine/index.js';
import { key } from '../../src/runs/index.js';

/**
 * Compares the gradient of sum(y * direction) with central differences along random directions in the inputs' space.
 * The project computes in float32, so the step is wide and the function must be smooth over it.
 */
export function checkGradient(
  compute: (inputs: Tensor[]) => Tensor,
  shapes: number[][],
  { step = 1e-2, tolerance = 5e-3, seed = 'gradient', scale = 1 } = {},
): void {
  const random = key(seed).generator();
  const draw = (shape: number[]) =>
    tf.tensor(
      Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => scale * random.normal()),
      shape,
    );
  const inputs = shapes.map(draw);
  const weighting = draw(compute(inputs).shape);
  const loss = (tensors: Tensor[]) => compute(tensors).mul(weighting).sum();
  const { grads } = tf.valueAndGrads((...tensors: Tensor[]) => loss(tensors).asScalar())(inputs);
  for (let trial = 0; trial < 4; trial++) {
    // One input at a time, so that an error in a small gradient cannot hide behind a large one.
    inputs.forEach((input, which) => {
      const direction = draw(input.shape);
      const at = (sign: number) =>
        loss(inputs.map((other, i) => (i === which ? other.add(direction.mul(sign * step)) : other))).dataSync()[0]!;
      const numeric = (at(1) - at(-1)) / (2 * step);
      const analytic = grads[which]!.mul(direction).sum().dataSync()[0]!;
      const size = grads[which]!.norm().dataSync()[0]! * direction.norm().dataSync()[0]!;
      expect(Math.abs(numeric - analytic), `input ${which}: ${analytic} against ${numeric}`).toBeLessThan(
        tolerance * (size / Math.sqrt(input.size)) + 1e-5,
      );
    });
  }
}

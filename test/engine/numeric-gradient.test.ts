import { describe, expect, it } from 'vitest';
import { key } from '../../src/base/index.js';
import { attribute, compile, randomNormal, runOp, type Tensor, tf, withGradient } from '../../src/engine/index.js';
import { checkGradient } from './numeric-gradient.js';

/** x^3, whose gradient is wrong by a factor. */
const cubed = (factor: number) => (inputs: Tensor[]) =>
  withGradient(inputs, (save) => {
    save([inputs[0]!]);
    return {
      value: inputs[0]!.pow(3),
      gradient: (dy, [x]) => [() => dy.mul(x!.square()).mul(3 * factor)],
    };
  });

describe('checkGradient', () => {
  it('accepts a right gradient', async () => {
    await checkGradient(cubed(1), [[3, 4]]);
    await checkGradient(cubed(1), [[3, 4]], { twin: ([x]) => x!.mul(x!).mul(x!) });
  });

  it('tells one that is wrong by a millionth', async () => {
    await expect(checkGradient(cubed(1 + 1e-6), [[3, 4]])).rejects.toThrow(
      /input 0: the gradient gives .* differences/,
    );
  });

  it('tells one in float32 that is wrong by a ten-thousandth from its twin', async () => {
    const twin = ([x]: Tensor[]) => x!.mul(x!).mul(x!);
    await expect(checkGradient(cubed(1.0001), [[3, 4]], { twin })).rejects.toThrow(/input 0/);
  });

  it('tells a small gradient that is wrong beside a large one', async () => {
    const sum = ([a, b]: Tensor[]) => a!.mul(1e6).add(cubed(1.001)([b!]).mul(1e-3));
    await expect(checkGradient(sum, [[5], [5]])).rejects.toThrow(/input 1/);
  });
});

describe('precision float64', () => {
  it('computes in it, and gives float32', async () => {
    const step = compile((x: Tensor) => ({ rest: x.add(1).sub(1), whole: x.toInt(), big: x.greater(1e-9) }), {
      precision: 'float64',
    });
    const x = tf.tensor1d([2 ** -30, 2]);
    const { rest, whole, big } = await step(x);
    expect([rest, whole, big].map(({ dtype }) => dtype)).toEqual(['float32', 'int32', 'bool']);
    // In float32 the smaller one would be lost beside 1.
    expect(Array.from(rest.dataSync())).toEqual([2 ** -30, 2]);
    expect(Array.from(whole.dataSync())).toEqual([0, 2]);
    expect(Array.from(big.dataSync())).toEqual([0, 1]);
  });

  it('draws the random numbers that float32 draws', async () => {
    const draw = (random: ReturnType<typeof key>) => randomNormal(random, [4]);
    const drawn = await compile(draw, { precision: 'float64' })(key(1));
    expect(Array.from(drawn.dataSync())).toEqual(Array.from(draw(key(1)).dataSync()));
  });

  it('refuses an op that has no float64, with its line', async () => {
    const step = compile(
      (x: Tensor) => runOp('ResizeBilinear', [attribute.type('T', 'float32')], [x, tf.tensor1d([2, 2], 'int32')]),
      { precision: 'float64' },
    );
    await expect(step(tf.ones([1, 4, 4, 1]))).rejects.toThrow(
      /no float64 form of the op ResizeBilinear\n {4}at runOp \(.*numeric-gradient\.test\.ts:\d+/,
    );
  });
});

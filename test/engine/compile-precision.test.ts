import { describe, expect, it } from 'vitest';
import { key } from '../../src/base/index.js';
import { compile, randomNormal, relu, type Tensor, tf } from '../../src/engine/index.js';
import { network, train } from './small-network.js';

const bits = (tensor: Tensor) => Array.from(new Uint32Array(tensor.dataSync().slice().buffer));
/** bfloat16 is float32 without the lower half of its bits. */
const isBfloat16 = (tensor: Tensor) => bits(tensor).every((value) => (value & 0xffff) === 0);
const largest = (tensor: Tensor) => tensor.abs().max().dataSync()[0]!;

const bfloat16 = <Inputs extends unknown[], Output>(step: (...inputs: Inputs) => Output) =>
  compile(step, { precision: 'bfloat16' });

describe('precision bfloat16', () => {
  const x = randomNormal(key('x'), [32, 16]);
  const w = randomNormal(key('w'), [16, 8]);

  it('computes listed ops in it and gives float32', async () => {
    const y = await bfloat16((x: Tensor, w: Tensor) => tf.matMul(x as never, w as never))(x, w);
    expect(y.dtype).toBe('float32');
    expect(isBfloat16(y)).toBe(true);
    const exact = tf.matMul(x as never, w as never);
    expect(largest(y.sub(exact))).toBeGreaterThan(0);
    // 8 bits of mantissa: relative steps of 2^-8, in the inputs and in the result.
    expect(largest(y.sub(exact))).toBeLessThan(3 * 2 ** -8 * largest(exact));
  });

  it('follows through ops that move numbers about, and leaves all others in float32', async () => {
    const step = bfloat16((x: Tensor, w: Tensor) => {
      const y = tf.matMul(x as never, w as never);
      const moved = relu(y.add(y).reshape([8, 32]).transpose());
      return { moved, scaled: y.mul(1 / 3), plain: x.add(x), mean: moved.mean() };
    });
    const { moved, scaled, plain, mean } = await step(x, w);
    expect(isBfloat16(moved)).toBe(true);
    expect(isBfloat16(scaled)).toBe(false);
    expect(isBfloat16(mean)).toBe(false);
    expect(bits(plain)).toEqual(bits(x.add(x)));
    expect(mean.dataSync()[0]).toBeCloseTo(moved.mean().dataSync()[0]!, 5);
  });

  it('leaves integers alone', async () => {
    const step = bfloat16((n: Tensor, x: Tensor, w: Tensor) => ({
      sum: n.add(n).reshape([2, 1]),
      product: tf.matMul(x as never, w as never),
    }));
    const n = tf.tensor1d([70_001, 70_003], 'int32');
    expect(Array.from((await step(n, x, w)).sum.dataSync())).toEqual([140_002, 140_006]);
  });

  it('trains as float32 does: the loss after 60 steps differs by less than 5 %, and weights keep float32', async () => {
    const full = await train(compile(network.step), 60);
    const low = await train(bfloat16(network.step), 60);
    const end = ({ losses }: { losses: number[] }) => losses.slice(-5).reduce((a, b) => a + b) / 5;
    expect(end(full)).toBeLessThan(0.7 * full.losses[0]!);
    expect(low.losses).not.toEqual(full.losses);
    expect(Math.abs(end(low) / end(full) - 1)).toBeLessThan(0.05);
    expect(isBfloat16(tf.tensor1d(low.weights))).toBe(false);
  });
});

describe('xla', () => {
  it('gives what the step gives', async () => {
    const step = (x: Tensor, w: Tensor) => ({
      y: tf.softmax(tf.matMul(x as never, w as never).mul(0.5)),
      sum: x.sum(),
    });
    const [x, w] = [randomNormal(key('x'), [32, 16]), randomNormal(key('w'), [16, 8])];
    const [plain, fast] = [step(x, w), await compile(step, { xla: true })(x, w)];
    expect(largest(fast.y.sub(plain.y))).toBeLessThan(1e-6);
    expect(largest(fast.sum.sub(plain.sum))).toBeLessThan(1e-4);
  });
});

import { describe, expect, it } from 'vitest';
import { compile, gradients, type Tensor, type Tensors, tf } from '../../src/engine/index.js';
import { dynamicLossScaling, sgd } from '../../src/training/index.js';
import { network } from '../engine/small-network.js';

const number = (tensor: Tensor | undefined) => tensor!.dataSync()[0]!;
const scaleOf = (state: Tensors) => [state['loss_scaling.scale'], state['loss_scaling.finite_steps']].map(number);

describe('dynamic loss scaling', () => {
  const optimizer = dynamicLossScaling(sgd({ momentum: 0.5 }), { initial: 8, growthInterval: 3 });
  const parameters = (): Tensors => ({ w: tf.tensor1d([1, 2]) });
  const rate = { learningRate: tf.scalar(0.1) };

  it('steps as the optimizer does with gradients of the scaled loss', () => {
    const plain = sgd({ momentum: 0.5 });
    let [ours, theirs] = [parameters(), parameters()];
    let [state, other] = [optimizer.initialize(ours), plain.initialize(theirs)];
    for (let step = 0; step < 2; step++) {
      const compute = (p: Tensors) => ({ loss: p.w!.square().sum() });
      const scaled = gradients(ours, compute, { lossScale: optimizer.lossScale(state) });
      const exact = gradients(theirs, compute);
      expect(Array.from(scaled.gradients.w!.dataSync())).toEqual(
        Array.from(exact.gradients.w!.dataSync(), (value) => 8 * value),
      );
      expect(number(scaled.loss)).toBe(number(exact.loss));
      ({ parameters: ours, state } = optimizer.update(ours, scaled.gradients, state, rate));
      ({ parameters: theirs, state: other } = plain.update(theirs, exact.gradients, other, rate));
    }
    expect(ours.w!.dataSync()).toEqual(theirs.w!.dataSync());
    expect(state.w!.dataSync()).toEqual(other.w!.dataSync());
    expect(scaleOf(state)).toEqual([8, 2]);
  });

  it('leaves out a step whose gradients are not finite, and halves the scale, down to 1', () => {
    for (const bad of [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN]) {
      const before = parameters();
      let state = optimizer.update(before, { w: tf.tensor1d([8, 8]) }, optimizer.initialize(before), rate).state;
      const velocity = state.w!.dataSync();
      const result = optimizer.update(before, { w: tf.tensor1d([1, bad]) }, state, rate);
      expect(result.parameters.w!.dataSync()).toEqual(before.w!.dataSync());
      expect(result.state.w!.dataSync()).toEqual(velocity);
      expect(scaleOf(result.state)).toEqual([4, 0]);
      state = result.state;
      for (let i = 0; i < 4; i++) state = optimizer.update(before, { w: tf.tensor1d([bad, 1]) }, state, rate).state;
      expect(scaleOf(state)).toEqual([1, 0]);
    }
  });

  it('doubles the scale after enough finite steps in a row', () => {
    let state = optimizer.initialize(parameters());
    const scales = [];
    for (const gradient of [1, 1, Number.NaN, 1, 1, 1, 1]) {
      state = optimizer.update(parameters(), { w: tf.tensor1d([gradient, 1]) }, state, rate).state;
      scales.push(scaleOf(state));
    }
    expect(scales).toEqual([
      [8, 1],
      [8, 2],
      [4, 0],
      [4, 1],
      [4, 2],
      [8, 0],
      [8, 1],
    ]);
  });

  it('refuses a scale or an interval that is none, and a state of another optimizer', () => {
    expect(() => dynamicLossScaling(sgd(), { initial: 0 })).toThrow(/initial scale is a number above 0; got 0/);
    expect(() => dynamicLossScaling(sgd(), { growthInterval: 1.5 })).toThrow(/growthInterval .* got 1.5/);
    expect(() => optimizer.update(parameters(), parameters(), {}, rate)).toThrow(
      /the state was not created by its initialize/,
    );
  });
});

describe('precision float16', () => {
  /** Trains the small network of a ResNet's ops; its loss is made so small that float16 alone loses the gradients. */
  async function losses(precision: 'float32' | 'float16', scaled: boolean, steps: number) {
    const shrink = 1e-7;
    const optimizer = scaled ? dynamicLossScaling(sgd(), { initial: 2 ** 20 }) : sgd();
    const lossScale = (state: Tensors) => ('lossScale' in optimizer ? optimizer.lossScale(state) : undefined);
    const step = compile(
      function halfStep(parameters: Tensors, state: Tensors, moved: Tensors, batch: Tensors, rate: Tensor) {
        const result = gradients(
          parameters,
          (given) => {
            const { loss, running } = network.loss(given, state, batch);
            return { loss: loss.mul(shrink), extra: running };
          },
          { lossScale: lossScale(moved) },
        );
        const next = optimizer.update(parameters, result.gradients, moved, { learningRate: rate });
        return { parameters: next.parameters, moved: next.state, state: result.extra, loss: result.loss };
      },
      { precision },
    );
    let [parameters, state] = [network.initialize(), network.state()];
    let moved = optimizer.initialize(parameters);
    const rate = tf.scalar(0.1 / shrink);
    const seen: number[] = [];
    for (let i = 0; i < steps; i++) {
      const output = await step(parameters, state, moved, network.batch(i), rate);
      ({ parameters, state, moved } = output);
      seen.push(number(output.loss) / shrink);
    }
    step.dispose();
    return { end: seen.slice(-5).reduce((a, b) => a + b) / 5, first: seen[0]!, parameters };
  }

  it('trains as float32 does with a scaled loss, and does not without', async () => {
    const full = await losses('float32', false, 60);
    const half = await losses('float16', true, 60);
    const unscaled = await losses('float16', false, 60);
    expect(full.end).toBeLessThan(0.7 * full.first);
    expect(Math.abs(half.end / full.end - 1)).toBeLessThan(0.05);
    expect(Math.abs(unscaled.end / full.end - 1)).toBeGreaterThan(0.1);
    // Master weights are float32: float16 keeps 11 bits, so 13 of their 24 would be 0.
    const bits = new Uint32Array(half.parameters.conv!.dataSync().slice().buffer);
    expect(bits.some((value) => (value & 0x1fff) !== 0)).toBe(true);
  });
});

import { describe, expect, it } from 'vitest';
import { type Tensors, tf } from '../../src/engine/index.js';
import { layerFactor } from '../../src/pretrain/optimizer-settings.js';
import { adamw, sgd, withRateFactors } from '../../src/training/index.js';

const factors: Record<string, number> = { slow: 0.25, plain: 1 };

describe('rate factors', () => {
  it.each([
    ['sgd', () => sgd({ momentum: 0.9, weightDecay: 0.1 })],
    ['adamw', () => adamw({ weightDecay: 0.1 })],
  ])('are learning rates of their own: %s', (_, make) => {
    const gradients: Tensors = { slow: tf.tensor1d([1, -2]), plain: tf.tensor1d([0.5, 3]) };
    const steps = (learningRateOf: (name: string) => number, factored: boolean) => {
      const found: Record<string, number[]> = {};
      for (const name of ['slow', 'plain']) {
        const optimizer = factored ? withRateFactors(make(), (name) => factors[name]!) : make();
        let parameters: Tensors = { [name]: tf.tensor1d([1, 2]) };
        let state = optimizer.initialize(parameters);
        for (let step = 0; step < 3; step++) {
          ({ parameters, state } = optimizer.update(parameters, { [name]: gradients[name]! }, state, {
            learningRate: tf.scalar(learningRateOf(name)),
          }));
        }
        found[name] = Array.from(parameters[name]!.dataSync());
      }
      return found;
    };
    const expected = steps((name) => 0.1 * factors[name]!, false);
    const found = steps(() => 0.1, true);
    expect(found.plain).toEqual(expected.plain);
    expect(found.slow).toEqual(expected.slow!.map((value) => expect.closeTo(value, 5)));
  });

  it('fall from block to block of a transformer, as in the code of BEiT and MAE', () => {
    const of = (name: string) => layerFactor(name, { layerDecay: 0.5, depth: 4 });
    expect(['backbone.cls_token', 'backbone.pos_embed', 'backbone.patch_embed.proj.weight'].map(of)).toEqual(
      Array(3).fill(0.5 ** 5),
    );
    expect(['backbone.blocks.0.attn.qkv.weight', 'blocks.3.norm1.bias'].map(of)).toEqual([0.5 ** 4, 0.5]);
    expect(['backbone.norm.weight', 'fc_norm.bias', 'head.weight'].map(of)).toEqual([1, 1, 1]);
  });
});

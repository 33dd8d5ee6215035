import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { key } from '../../src/base/index.js';
import { tf } from '../../src/engine/index.js';
import { gradCam } from '../../src/finetune/index.js';
import { backbone, joinModels, vit } from '../../src/models/index.js';
import { type Method, simclr, supervised } from '../../src/pretrain/index.js';
import { hashUniform } from '../fixtures/hash-uniform.js';
import { timmModel } from '../models/timm-reference.js';

const { gradCam: references } = JSON.parse(
  readFileSync(new URL('../fixtures/torch-saliency/saliency.json', import.meta.url), 'utf8'),
) as { gradCam: Record<string, { input: [number, number, number]; labels: number[]; map: number[][][] }> };

const views = { size: 32, crop: { scale: [1, 1], ratio: [1, 1] } } as const;
const plain = { dropout: 0, labelSmoothing: 0, weighted: false };

describe('Grad-CAM', () => {
  it.each(Object.keys(references))("of %s is PyTorch's by hooks", (name) => {
    const { input, labels, map } = references[name]!;
    tf.tidy(() => {
      const network = backbone(name);
      const weight = tf.tensor2d(hashUniform(30_000, 8 * network.featureSize), [8, network.featureSize]);
      const head = { parameters: { weight, bias: tf.zeros([8]) }, state: {} };
      const model = joinModels({ backbone: timmModel(name), head });
      const method = supervised({ backbone: network, views, ...plain });
      const images = tf.tensor4d(hashUniform(0, 3 * input.reduce((a, b) => a * b)), [...input, 3]);
      const found = gradCam({ method, model }, images, tf.tensor1d(labels, 'int32'));
      expect(found.shape).toEqual([3, 3, 2]);
      const expected = map.flat(2);
      const most = Math.max(...expected);
      expect(most).toBeGreaterThan(0.01);
      found.dataSync().forEach((value, place) => {
        expect(Math.abs(value - expected[place]!) / most).toBeLessThan(1e-3);
      });
    });
  });

  it('is refused for a method without a classifier and a network without a last map', () => {
    tf.tidy(() => {
      const [images, labels] = [tf.zeros([1, 32, 32, 3]), tf.tensor1d([0], 'int32')];
      const start = { labels: new Int32Array(2), classNames: ['a', 'b'] };
      const network = vit({ imageSize: 32, patchSize: 8, width: 12, depth: 1, heads: 2 });
      const none = simclr({ backbone: network, views, hiddenSize: 8, outputSize: 8, temperature: 0.1 });
      const method = supervised({ backbone: network, views, ...plain });
      const askedOf = (method: Method) => () =>
        gradCam({ method, model: method.initialize(key(1), start) }, images, labels);
      expect(askedOf(none)).toThrow(/SimCLR has no classifier on features/);
      expect(askedOf(method)).toThrow(/convolutional network's last map; vit .* has none/);
    });
  });
});

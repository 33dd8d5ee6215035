import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { key } from '../../src/base/index.js';
import { crossEntropy, disposeTensors, type Tensor, tf } from '../../src/engine/index.js';
import { type Backbone, resnet } from '../../src/models/index.js';
import { supervised } from '../../src/pretrain/index.js';
import { adamw } from '../../src/training/index.js';
import { randomImages, relativeError, stepper } from './one-step.js';

interface Case {
  weights: number[];
  labelSmoothing: number;
  labels: number[];
  logits: number[][];
  loss: number;
  gradient: number[][];
}

const cases = JSON.parse(readFileSync(new URL('../fixtures/torch-supervised-mae/losses.json', import.meta.url), 'utf8'))
  .crossEntropy as Case[];

const options = {
  backbone: resnet({ depth: 18, width: 0.125 }),
  views: { size: 32, crop: { scale: [1, 1], ratio: [1, 1] } } as const,
  ...{ dropout: 0.4, labelSmoothing: 0.1, weighted: false },
};
const classNames = ['gland', 'stroma'];
const start = { labels: Int32Array.of(0, 0, 0, 1), classNames };

describe('the loss of labels', () => {
  it.each(cases)("equals PyTorch's CrossEntropyLoss, with its gradient (case %#)", (reference) => {
    const labels = tf.tensor1d(reference.labels, 'int32');
    const compute = (logits: Tensor) =>
      crossEntropy(logits, labels, {
        classWeights: tf.tensor1d(reference.weights),
        labelSmoothing: reference.labelSmoothing,
      }).asScalar();
    const { value, grad } = tf.valueAndGrad(compute)(tf.tensor2d(reference.logits));
    expect(Math.abs(value.dataSync()[0]! / reference.loss - 1)).toBeLessThan(1e-5);
    expect(relativeError(grad, reference.gradient)).toBeLessThan(1e-5);
  });
});

describe('supervised pretraining', () => {
  it('learns to name classes from images, and says how well it does', () => {
    const method = supervised({ ...options, dropout: 0, labelSmoothing: 0 });
    const run = stepper(method, { optimizer: adamw({ weightDecay: 0 }), learningRate: 0.01, classNames });
    const images = randomImages(1, 8, [32]);
    const classes = [0, 1, 0, 1, 1, 0, 1, 0];
    const taken = Array.from({ length: 12 }, () => run.take(images, classes));
    expect(Math.abs(taken[0]!.loss! - Math.log(2))).toBeLessThan(0.8);
    expect(taken.at(-1)!.loss).toBeLessThan(0.1);
    expect(taken.at(-1)!.accuracy).toBe(1);
  });

  it('adds .4 of the loss of an auxiliary classifier, which only training has', () => {
    const { backbone } = options;
    const auxiliary = tf.tensor2d([
      [2, -1],
      [0.5, 1],
      [-1, 0],
    ]);
    const withHead: Backbone = {
      ...backbone,
      apply: (model, images, how) => ({ ...backbone.apply(model, images, how), ...(how.training && { auxiliary }) }),
    };
    const lossOf = (backbone: Backbone) =>
      stepper(supervised({ ...options, backbone, dropout: 0 }), { learningRate: 0, classNames }).take(
        randomImages(3, 3, [32]),
        [0, 1, 1],
      ).loss!;
    const own = crossEntropy(auxiliary, tf.tensor1d([0, 1, 1], 'int32'), { labelSmoothing: 0.1 }).dataSync()[0]!;
    expect(lossOf(withHead) - lossOf(backbone)).toBeCloseTo(0.4 * own, 5);
  });

  it('gives a network its auxiliary classifier from the classes, where views are large enough, and keeps it to itself', () => {
    const { backbone } = options;
    const seen: number[] = [];
    // Of the logits of one bias each.
    const whole = (classes: number): Backbone => ({
      ...backbone,
      sizes: { least: 32 },
      initialize(key) {
        const { parameters, state } = backbone.initialize(key);
        return { parameters: { ...parameters, 'aux.bias': tf.zeros([classes]) }, state };
      },
      apply(model, images, how) {
        seen.push(classes);
        const bias = model.parameters['aux.bias']!;
        return { ...backbone.apply(model, images, how), auxiliary: tf.zeros([images.shape[0]!, classes]).add(bias) };
      },
    });
    const network: Backbone = { ...backbone, auxiliary: { prefix: 'aux.', withClasses: whole } };
    const method = supervised({ ...options, backbone: network });
    const run = stepper(method, { classNames });
    run.take(randomImages(3, 3, [32]), [0, 1, 1]);
    expect(seen).toEqual([2]);
    expect(run.tensors.parameters['backbone.aux.bias']!.dataSync()[0]).not.toBe(0);
    const plain = backbone.initialize(key(1));
    expect(Object.keys(method.encoder(run.tensors).parameters)).toEqual(Object.keys(plain.parameters));
    expect(method.chanceLoss!({ dataset: { classNames } } as never)).toBeCloseTo(1.4 * Math.log(2), 12);
    // Weights that came without it get a new one.
    const begun = method.initialize(key(1), { ...start, backbone: plain });
    expect(begun.parameters['backbone.aux.bias']!.shape).toEqual([2]);
    expect(begun.parameters['backbone.conv1.weight']!.dataSync()).toEqual(plain.parameters['conv1.weight']!.dataSync());
    // Smaller views leave it nothing to see.
    const small = supervised({ ...options, backbone: network, views: { ...options.views, size: 16 } });
    expect(small.initialize(key(1), start).parameters).not.toHaveProperty('backbone.aux.bias');
  });

  it('drops features in training, otherwise in each step', () => {
    const losses = (dropout: number) => {
      const run = stepper(supervised({ ...options, dropout }), { learningRate: 0, classNames });
      const images = randomImages(2, 4, [32]);
      return [0, 1].map(() => run.take(images, [0, 1, 0, 1]).loss);
    };
    const [first, second] = losses(0.4);
    expect(first).not.toBe(second);
    const [same, again] = losses(0);
    expect(same).toBe(again);
  });

  it('lets rare classes weigh more where that is asked for, and then takes no micro-batches', () => {
    const weightsOf = (weighted: boolean) => {
      const { parameters, state } = supervised({ ...options, weighted }).initialize(key(1), start);
      const weights = [...state['head.weights']!.dataSync()];
      disposeTensors(parameters, state);
      return weights;
    };
    expect(weightsOf(true)).toEqual([2 / 3, 2].map((weight) => expect.closeTo(weight, 6)));
    expect(weightsOf(false)).toEqual([1, 1]);
    const micro = (weighted: boolean) => () =>
      stepper(supervised({ ...options, weighted }), { microBatches: 2, classNames });
    expect(micro(true)).toThrow(/weights of classes/);
    expect(micro(false)).not.toThrow();
  });

  it.each([
    [{ labels: Int32Array.of(0, -1, 1), classNames }, /1 of 3 patches have none/],
    [{ labels: Int32Array.of(-1, -1), classNames: [] }, /there are 0, and 2 of 2 patches have none/],
    [{ labels: Int32Array.of(0, 0), classNames: ['gland'] }, /two at least: there are 1/],
  ])('refuses patches without classes (case %#)', (wrong, message) => {
    expect(() => supervised(options).initialize(key(1), wrong)).toThrow(message);
  });
});

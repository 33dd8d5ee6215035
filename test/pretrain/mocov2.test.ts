import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { selfSupervisedViews } from '../../src/augment/index.js';
import { key } from '../../src/base/index.js';
import { l2Normalize, subTensors, type Tensor, tf } from '../../src/engine/index.js';
import { type Backbone, mlp, resnet, vit, withHead } from '../../src/models/index.js';
import { infoNce, mocoV2 } from '../../src/pretrain/index.js';
import { randomImages, relativeError, stepper, valuesOf } from './one-step.js';

interface Case {
  temperature: number;
  queries: number[][];
  keys: number[][];
  queue: number[][];
  loss: number;
  gradient: number[][];
}
const cases = (
  JSON.parse(readFileSync(new URL('../fixtures/torch-methods/methods.json', import.meta.url), 'utf8')) as {
    infoNce: Case[];
  }
).infoNce;

const normed = resnet({ depth: 18, width: 0.125 });
/** Without batch norm an image's features do not depend on its batch. */
const normless = vit({ patchSize: 8, imageSize: 16, width: 16, depth: 1, heads: 2 });
const queueSize = 10;
const methodOf = (backbone: Backbone, batchNormGroups: number) =>
  mocoV2({
    ...{ backbone, views: selfSupervisedViews(32), hiddenSize: 16, outputSize: 8 },
    ...{ temperature: 0.2, momentum: 0.75, queueSize, batchNormGroups },
  });
const network = (backbone: Backbone) =>
  withHead(backbone, mlp([backbone.featureSize, 16, 8], { norm: 'none', bias: 'every' }));
const images = (seed: number, batch = 4, size = 16) => randomImages(seed, batch, [size, size]);

/** The keys that a network without batch norm makes. */
const keysOf = (parameters: Record<string, Tensor>, views: readonly Tensor[]) =>
  l2Normalize(network(normless).apply({ parameters, state: {} }, views[1]!, { training: true }).outputs);
const keyParameters = (state: Record<string, Tensor>) => subTensors(state, 'momentum/parameters/');

describe('infoNce', () => {
  it.each(cases)('equals equation 1 in PyTorch, with its gradient (case %#)', (reference) => {
    const [keys, queue] = [reference.keys, reference.queue].map((rows) => l2Normalize(tf.tensor2d(rows)));
    const compute = (queries: Tensor) =>
      infoNce(l2Normalize(queries), keys!, queue!, reference.temperature).loss.asScalar();
    const { value, grad } = tf.valueAndGrad(compute)(tf.tensor2d(reference.queries));
    expect(Math.abs(value.dataSync()[0]! / reference.loss - 1)).toBeLessThan(1e-5);
    expect(relativeError(grad, reference.gradient)).toBeLessThan(1e-5);
  });

  it('is log(queue + 1) where all are alike: what MoCo v2 calls chance', () => {
    const alike = l2Normalize(tf.ones([queueSize, 8]));
    const { loss } = infoNce(alike.slice([0, 0], [4, 8]), alike.slice([0, 0], [4, 8]), alike, 0.2);
    expect(methodOf(normless, 1).chanceLoss!(4)).toBe(Math.log(queueSize + 1));
    expect(loss.dataSync()[0]).toBeCloseTo(Math.log(queueSize + 1), 5);
  });
});

describe('MoCo v2', () => {
  it("has batch norm in its projector only where that is asked for, whose statistics are the copy's own", () => {
    const options = { backbone: normless, views: selfSupervisedViews(32), hiddenSize: 16, outputSize: 8 };
    const start = { labels: new Int32Array(4), classNames: [] };
    const namesOf = (headBatchNorm: boolean) => {
      const others = { temperature: 0.2, momentum: 0.75, queueSize, batchNormGroups: 1, headBatchNorm };
      const { parameters, state } = mocoV2({ ...options, ...others }).initialize(key(1), start);
      return [...Object.keys(parameters), ...Object.keys(state)].filter((name) => name.includes('running_mean'));
    };
    expect(namesOf(false)).toEqual([]);
    expect(namesOf(true)).toEqual([
      expect.stringMatching(/^head\./),
      expect.stringMatching(/^momentum\/state\/head\./),
    ]);
  });

  it('keeps a queue of unit length, newest keys in front, and drops the oldest where batches do not fill it evenly', () => {
    const training = stepper(methodOf(normless, 1));
    const initial = training.tensors.state.queue!;
    const made: number[][] = [];
    for (let step = 0; step < 3; step++) {
      const before = training.tensors.state;
      const views = images(step);
      training.take(views);
      made.unshift(valuesOf(keysOf(keyParameters(before), views)));
      const queue = training.tensors.state.queue!;
      expect(relativeError(queue.square().sum(1), Array(queueSize).fill(1))).toBeLessThan(1e-6);
      const expected = [...made.flat(), ...valuesOf(initial)].slice(0, queueSize * 8);
      expect(relativeError(queue, expected)).toBeLessThan(1e-6);
    }
  });

  it('takes negatives of earlier batches alone: keys are enqueued last', () => {
    const training = stepper(methodOf(normless, 1));
    training.take(images(0));
    const { parameters, state } = training.tensors;
    const views = images(1);
    const { outputs } = network(normless).apply({ parameters, state: {} }, views[0]!, { training: true });
    const { loss } = infoNce(l2Normalize(outputs), keysOf(keyParameters(state), views), state.queue!, 0.2);
    expect(training.take(views).loss).toBeCloseTo(loss.dataSync()[0]!, 5);
  });

  it('moves the key encoder once a step, from the queries of before, and without a gradient', () => {
    const training = stepper(methodOf(normed, 1), { learningRate: 0.5 });
    const first = training.tensors;
    training.take(images(0, 4, 32));
    const second = training.tensors;
    for (const [name, before] of Object.entries(keyParameters(first.state))) {
      const [moved, trained] = [keyParameters(second.state)[name]!, second.parameters[name]!];
      const expected = before.mul(0.75).add(trained.mul(0.25));
      expect(relativeError(moved, valuesOf(expected)), name).toBeLessThan(1e-6);
    }
    const name = 'backbone.conv1.weight';
    expect(valuesOf(second.parameters[name]!)).not.toEqual(valuesOf(first.parameters[name]!));
  });

  it('leaves running statistics of keys to the key encoder’s own passes', () => {
    const training = stepper(methodOf(normed, 1));
    const { parameters, state } = training.tensors;
    const views = images(0, 4, 32);
    training.take(views);
    const pass = (view: Tensor) => network(normed).apply({ parameters, state }, view, { training: true }).state;
    for (const name of ['backbone.bn1.running_mean', 'backbone.layer4.1.bn2.running_var']) {
      const after = training.tensors.state;
      expect(relativeError(after[name]!, valuesOf(pass(views[0]!)[name]!))).toBeLessThan(1e-6);
      expect(relativeError(after[`momentum/state/${name}`]!, valuesOf(pass(views[1]!)[name]!))).toBeLessThan(1e-6);
      expect(relativeError(after[`momentum/state/${name}`]!, valuesOf(after[name]!))).toBeGreaterThan(1e-3);
    }
  });

  it('normalizes keys in other groups than queries, and puts them back in order', () => {
    const training = stepper(methodOf(normed, 2));
    const { parameters, state } = training.tensors;
    const [first, second] = images(0, 8, 32) as [Tensor, Tensor];
    const grouped = (view: Tensor, groups: number[][]) => {
      const rows: number[][] = [];
      for (const group of groups) {
        const { outputs } = network(normed).apply({ parameters, state }, tf.gather(view, group), { training: true });
        (l2Normalize(outputs).arraySync() as number[][]).forEach((row, at) => {
          rows[group[at]!] = row;
        });
      }
      return tf.tensor2d(rows);
    };
    const queries = grouped(first, [
      [0, 1, 2, 3],
      [4, 5, 6, 7],
    ]);
    const keys = grouped(second, [
      [0, 2, 4, 6],
      [1, 3, 5, 7],
    ]);
    const expected = infoNce(queries, keys, state.queue!, 0.2).loss.dataSync()[0]!;
    expect(training.take([first, second]).loss).toBeCloseTo(expected, 4);
    expect(relativeError(training.tensors.state.queue!.slice([0, 0], [8, 8]), valuesOf(keys))).toBeLessThan(1e-4);
  });

  it('enqueues and moves the key encoder once an update under micro-batches', () => {
    const [whole, parts] = [1, 2].map((microBatches) => stepper(methodOf(normless, 1), { microBatches })) as [
      ReturnType<typeof stepper>,
      ReturnType<typeof stepper>,
    ];
    for (let step = 0; step < 2; step++) {
      expect(parts.take(images(step)).loss).toBeCloseTo(whole.take(images(step)).loss!, 5);
    }
    for (const name of ['queue', 'momentum/parameters/head.fc1.weight']) {
      expect(relativeError(parts.tensors.state[name]!, valuesOf(whole.tensors.state[name]!)), name).toBeLessThan(1e-5);
    }
  });

  it('refuses groups that do not divide the batch', () => {
    expect(() => stepper(methodOf(normless, 3)).take(images(0))).toThrow(/3 groups .* do not divide a batch of 4/);
  });
});

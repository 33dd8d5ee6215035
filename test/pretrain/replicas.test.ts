import { describe, expect, it } from 'vitest';
import { selfSupervisedViews } from '../../src/augment/index.js';
import { ConvAlgorithms, type Tensor, tf } from '../../src/engine/index.js';
import type { BatchSource } from '../../src/input/index.js';
import { mlp, vit, withHead } from '../../src/models/index.js';
import { dino, mocoV2, ntXent, type PretrainSettings, pretrain, simclr } from '../../src/pretrain/index.js';
import { singleReplica, type TrainOptions, train } from '../../src/training/index.js';
import { randomImages, relativeError, stepper, valuesOf } from './one-step.js';

/** Without batch norm an image's features do not depend on its batch. */
const backbone = vit({ patchSize: 8, imageSize: 16, width: 16, depth: 1, heads: 2 });
const views = selfSupervisedViews(16);
const images = randomImages(0, 4, [16, 16]);

/** As if another replica had rows of the opposite sign, and three times the means. */
const replicas = {
  ...singleReplica,
  count: 2,
  gather: (rows: Tensor) => tf.concat([rows, rows.neg()]),
  mean: (tensors: Record<string, Tensor>) =>
    Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, tensor.mul(2) as Tensor])),
};

describe('with several replicas', () => {
  it("SimCLR's negatives are those of all", () => {
    const method = simclr({ backbone, views, hiddenSize: 16, outputSize: 8, temperature: 0.2 });
    const steps = stepper(method, { replicas: { ...replicas, mean: singleReplica.mean }, learningRate: 0 });
    const network = withHead(backbone, mlp([backbone.featureSize, 16, 8]));
    const { outputs } = network.apply(steps.tensors, tf.concat([...images]), { training: true });
    const [first, second] = tf.split(outputs, 2) as [Tensor, Tensor];
    const lossOf = (one: Tensor, other: Tensor) => ntXent(one, other, 0.2).loss.dataSync()[0]!;
    const expected = lossOf(replicas.gather(first), replicas.gather(second));
    expect(steps.take(images).loss).toBeCloseTo(expected, 4);
    expect(Math.abs(expected - lossOf(first, second))).toBeGreaterThan(0.01);
  });

  it("MoCo v2's queue takes the keys of all", () => {
    const method = mocoV2({
      ...{ backbone, views, hiddenSize: 16, outputSize: 8, temperature: 0.2, momentum: 0.9 },
      ...{ queueSize: 10, batchNormGroups: 1 },
    });
    const [one, two] = [singleReplica, { ...replicas, mean: singleReplica.mean }].map((replicas) =>
      stepper(method, { replicas }),
    );
    for (const steps of [one!, two!]) steps.take(images);
    const keys = one!.tensors.state.queue!.slice([0, 0], [4, -1]);
    const queued = two!.tensors.state.queue!.slice([0, 0], [8, -1]);
    expect(relativeError(queued, valuesOf(replicas.gather(keys)))).toBeLessThan(1e-6);
  });

  it("DINO's center moves toward the mean of all", () => {
    const method = dino({
      ...{ backbone: () => backbone, dropPathRate: 0, views: [views, views], hiddenSize: 8, bottleneckSize: 4 },
      ...{ outputSize: 6, normLastLayer: true, batchNorm: false, frozenEpochs: 0, studentTemperature: 0.1 },
      ...{ teacherTemperature: { from: 0.04, to: 0.04, epochs: 1 }, momentum: 0.9, centerMomentum: 0.9 },
    });
    const [one, two] = [singleReplica, replicas].map((replicas) => stepper(method, { replicas }));
    for (const steps of [one!, two!]) steps.take(images);
    const [center, ofAll] = [one, two].map((steps) => steps!.tensors.state.center!);
    expect(relativeError(ofAll!, valuesOf(center!.mul(2)))).toBeLessThan(1e-5);
  });

  it('MoCo v2 refuses groups of batch norm that cannot be divided among them', () => {
    const method = mocoV2({
      ...{ backbone, views, hiddenSize: 16, outputSize: 8, temperature: 0.2, momentum: 0.9 },
      ...{ queueSize: 10, batchNormGroups: 3 },
    });
    const three = randomImages(0, 3, [16, 16]);
    expect(() => stepper(method, { replicas }).take(three)).toThrow(/3 groups .* cannot be divided among 2 replicas/);
  });

  it('a training refuses batches of another replica, and convolutions that each would measure', async () => {
    const method = simclr({ backbone, views, hiddenSize: 16, outputSize: 8, temperature: 0.2 });
    const settings = { seed: 1, steps: 1, precision: 'float32', evaluationCrop: 1 } as PretrainSettings;
    const batches = { replica: { index: 1, count: 2 } } as BatchSource;
    await expect(pretrain(method, { settings, batches, replicas })).rejects.toThrow(
      /replica 0 of 2, and its batches are those of replica 1 of 2/,
    );
    const training = { replicas, convAlgorithms: new ConvAlgorithms({}) } as unknown as TrainOptions;
    await expect(train(training)).rejects.toThrow(/train them without convAlgorithms/);
  });
});

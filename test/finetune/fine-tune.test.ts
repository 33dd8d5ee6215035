import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { key } from '../../src/base/index.js';
import { compileDataset, openShardDataset, type ShardDataset } from '../../src/datasets/index.js';
import { disposeTensors, tf, writeSafetensors } from '../../src/engine/index.js';
import type { Monitor } from '../../src/evaluate/index.js';
import { bitHyperRule, checkBitImages, fineTune, predictPatches } from '../../src/finetune/index.js';
import { BatchSource } from '../../src/input/index.js';
import { resnet, toTorch, vit } from '../../src/models/index.js';
import { type Method, type PretrainSettings, simclr, supervised } from '../../src/pretrain/index.js';
import { schedulesOf } from '../../src/pretrain/optimizer-settings.js';
import { smallDataset } from '../datasets/small-dataset.js';

const views = { size: 32, crop: { scale: [1, 1], ratio: [1, 1] } } as const;
const plain = { dropout: 0, labelSmoothing: 0, weighted: false };
const method = supervised({ backbone: resnet({ depth: 10, width: 0.125 }), views, ...plain });
const settings: PretrainSettings = {
  ...{ seed: 1, steps: 6, optimizer: 'adamw', learningRate: 0.01, warmup: 0, weightDecay: 0 },
  ...{ precision: 'float32', evaluationCrop: 1 },
};

let top: string;
let dataset: ShardDataset;
beforeAll(async () => {
  top = mkdtempSync(join(tmpdir(), 'fine-tune-'));
  const { folder } = await compileDataset(await smallDataset(4), { data: top });
  dataset = await openShardDataset(folder);
});
afterAll(() => rmSync(top, { recursive: true, force: true }));
const batches = () => new BatchSource(dataset, { batchSize: 8, key: key(1).fold('order'), imageSize: 32 });
const inOrder = (batchSize = 5) => new BatchSource(dataset, { batchSize, imageSize: 32 });

describe('fine-tuning', () => {
  it('gives probabilities for every patch, the same in batches of any size', async () => {
    const { predictor, model } = await fineTune(method, { settings, batches: batches() });
    const before = tf.memory().numTensors;
    const one = await predictPatches(predictor, inOrder(5), { testTime: 'dihedral' });
    const other = await predictPatches(predictor, inOrder(8), { testTime: 'dihedral' });
    expect(tf.memory().numTensors).toBe(before);
    expect([one.count, one.classes]).toEqual([dataset.count, dataset.classNames.length]);
    for (let row = 0; row < one.count; row++) {
      const own = one.values.subarray(row * one.classes, (row + 1) * one.classes);
      expect(own.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 5);
    }
    expect(Math.max(...one.values.map((value, place) => Math.abs(value - other.values[place]!)))).toBeLessThan(1e-5);
    const { values } = await predictPatches(predictor, inOrder());
    expect(values).not.toEqual(one.values);
    disposeTensors(model.parameters, model.state);
  });

  it('stops early and ends with the best model and not the last', async () => {
    const scores = [0.2, 0.9, 0.5, 0.4, 0.3, 0.2];
    const seen: Float32Array[] = [];
    const monitor: Monitor = {
      everySteps: 2,
      panel: { title: 'score', metrics: ['score'] },
      async run(_, model) {
        seen.push(model.parameters['head.weight']!.dataSync<'float32'>().slice());
        return { score: scores[seen.length - 1]! };
      },
      dispose: () => {},
    };
    const checkpoint = { folder: join(top, 'early'), everySteps: 2, identity: { test: 'early' } };
    const options = { settings: { ...settings, steps: 40 }, batches: batches(), monitors: [monitor] };
    const earlyStop = { metric: 'score', patience: 4 };
    const { predictor, steps, best } = await fineTune(method, { ...options, checkpoint, earlyStop });
    expect([steps, best]).toEqual([6, { step: 2, score: expect.closeTo(0.9) }]);
    expect(predictor.model.parameters['head.weight']!.dataSync()).toEqual(seen[1]);
    expect(seen[1]).not.toEqual(seen[3]);
    disposeTensors(predictor.model.parameters, predictor.model.state);
    await expect(fineTune(method, { ...options, earlyStop })).rejects.toThrow(
      /best model is restored .* keep checkpoints/,
    );
  });

  it('forgets the running statistics of the initial weights where it is asked to, and keeps the weights', async () => {
    const start = method.backbone.initialize(key(9));
    for (const name of Object.keys(start.state)) start.state[name] = start.state[name]!.add(3);
    const init = join(top, 'init.safetensors');
    await writeSafetensors(init, toTorch(start));
    const trained = async (resetBatchNorm: boolean) => {
      const still = { ...settings, steps: 1, learningRate: 1e-12, init, resetBatchNorm };
      const { model } = await fineTune(method, { settings: still, batches: batches() });
      const [mean] = model.state['backbone.bn1.running_mean']!.dataSync();
      const [weight] = model.parameters['backbone.conv1.weight']!.dataSync();
      disposeTensors(model.parameters, model.state);
      return { mean: mean!, weight: weight! };
    };
    const [kept, reset] = [await trained(false), await trained(true)];
    // A batch moves them by a tenth.
    expect(kept.mean - reset.mean).toBeCloseTo(0.9 * 3, 4);
    expect(reset.weight).toBeCloseTo(start.parameters['conv1.weight']!.dataSync()[0]!, 6);
    expect(reset.weight).toBe(kept.weight);
  });

  it('refuses a method without classes, and layer-wise rates for a network without blocks', async () => {
    const without = simclr({
      backbone: method.backbone,
      views,
      hiddenSize: 8,
      outputSize: 8,
      temperature: 0.2,
    }) as Method;
    await expect(fineTune(without, { settings, batches: batches() })).rejects.toThrow(/SimCLR learns without classes/);
    const layered = { ...settings, layerDecay: 0.75 };
    await expect(fineTune(method, { settings: layered, batches: batches() })).rejects.toThrow(
      /layerDecay is for vision/,
    );
    const small = vit({ imageSize: 32, patchSize: 8, width: 16, depth: 2, heads: 2 });
    const { model } = await fineTune(supervised({ backbone: small, views, ...plain }), {
      ...{ settings: { ...layered, steps: 2 }, batches: batches() },
    });
    disposeTensors(model.parameters, model.state);
  });
});

describe("BiT's rule", () => {
  it('is the one of its paper for small sets, and is refused where mixup would belong to it', () => {
    const rule = bitHyperRule(128);
    const { milestones: _, ...others } = rule;
    expect(others).toEqual({
      ...{ steps: 500, optimizer: 'sgd', learningRate: 0.003 / 4, momentum: 0.9, warmup: 0.2, weightDecay: 0 },
    });
    const { learningRate, weightDecay } = schedulesOf(rule, { steps: 500, stepsPerEpoch: 8 });
    const rates = {
      0: 0.01,
      49: 0.5,
      99: 1,
      100: 1,
      199: 1,
      200: 0.1,
      299: 0.1,
      300: 0.01,
      399: 0.01,
      400: 0.001,
      499: 0.001,
    };
    for (const [step, share] of Object.entries(rates)) {
      expect(learningRate(Number(step)) / (0.003 / 4), `step ${step}`).toBeCloseTo(share, 9);
    }
    expect(weightDecay).toBeUndefined();
    checkBitImages(19_999);
    expect(() => checkBitImages(20_000)).toThrow(/fewer than 20,000 training images, .* there are 20000/);
  });
});

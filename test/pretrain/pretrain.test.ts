import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Key, key } from '../../src/base/index.js';
import { compileDataset, openShardDataset, type ShardDataset } from '../../src/datasets/index.js';
import { disposeTensors, type Tensor, tf, writeSafetensors } from '../../src/engine/index.js';
import { BatchSource } from '../../src/input/index.js';
import { resnet, subModel, toTorch, vit, withHead } from '../../src/models/index.js';
import {
  type AnyMethod,
  initialWeights,
  type Method,
  type PretrainSettings,
  pretrain,
  untrainedEncoder,
} from '../../src/pretrain/index.js';
import type { TrainingEvent } from '../../src/training/index.js';
import { smallDataset } from '../datasets/small-dataset.js';

const backbone = resnet({ depth: 18, width: 0.125 });
const head = {
  initialize: () => ({ parameters: {}, state: {} }),
  apply: (_: unknown, x: Tensor) => ({ outputs: x, state: {} }),
};
const network = withHead(backbone, head);

/** Shrinks features, by a momentum of its own: enough of a method to see what `pretrain` gives to one. */
const shrinking: Method<'momentum'> = {
  name: 'shrinking',
  settings: {},
  backbone,
  views: [{ size: 32, crop: { scale: [1, 1], ratio: [1, 1] } }],
  initialize: (key, start) => network.initialize(key, start.backbone),
  schedules: ({ steps, stepsPerEpoch }) => ({ momentum: (step) => (step * stepsPerEpoch) / steps }),
  loss(model, { views }, { scheduled }) {
    const { outputs, state } = network.apply(model, views[0]!, { training: true });
    return { loss: outputs.square().mean(), state, metrics: { seen: scheduled.momentum } };
  },
  encoder: (model) => subModel(model, 'backbone'),
};

const settings: PretrainSettings = {
  seed: 1,
  ...{ steps: 4, optimizer: 'adamw', learningRate: 0.01, warmup: 0.25, weightDecay: 0.04, finalWeightDecay: 0.4 },
  ...{ precision: 'float32', evaluationCrop: 1 },
};

let top: string;
let dataset: ShardDataset;
beforeAll(async () => {
  top = mkdtempSync(join(tmpdir(), 'pretrain-'));
  const { folder } = await compileDataset(await smallDataset(4), { data: top });
  dataset = await openShardDataset(folder);
});
afterAll(() => rmSync(top, { recursive: true, force: true }));
const batches = () => new BatchSource(dataset, { batchSize: 8, key: key(1).fold('order'), imageSize: 32 });

async function stepsOf(method: AnyMethod, changes: Partial<PretrainSettings> = {}) {
  const steps: Record<string, number>[] = [];
  const onEvent = (event: TrainingEvent) => void (event.kind === 'step' && steps.push(event as never));
  const { encoder } = await pretrain(method, { settings: { ...settings, ...changes }, batches: batches(), onEvent });
  return { steps, encoder };
}

describe('pretraining with any method', () => {
  it('gives a method its own schedules, made for the length of the training', async () => {
    const source = batches();
    const { steps, encoder } = await stepsOf(shrinking);
    const expected = [0, 1, 2, 3].map((step) => (step * source.stepsPerEpoch) / 4);
    expect(steps.map(({ seen }) => seen)).toEqual(expected);
    expect(steps.map(({ momentum }) => momentum)).toEqual(expected);
    disposeTensors(encoder.model.parameters, encoder.model.state);
  });

  it('changes learning rate and weight decay by their schedules', async () => {
    const { steps } = await stepsOf(shrinking, { finalLearningRate: 0.002 });
    expect(steps.map(({ learningRate }) => learningRate)).toEqual(
      [0.01, 0.01, 0.008, 0.004].map((rate) => expect.closeTo(rate, 10)),
    );
    const decay = (step: number) => 0.4 + ((0.04 - 0.4) / 2) * (1 + Math.cos((Math.PI * step) / 4));
    expect(steps.map(({ weightDecay }) => weightDecay)).toEqual(
      [0, 1, 2, 3].map((step) => expect.closeTo(decay(step), 10)),
    );
    const constant = await stepsOf(shrinking, { finalWeightDecay: undefined });
    expect(constant.steps[0]).not.toHaveProperty('weightDecay');
  });

  it('lets weight decay act on norms and biases only where that is asked for', async () => {
    const scaleAfter = async (decayAll?: boolean) => {
      const still = {
        optimizer: 'sgd',
        learningRate: 0.1,
        warmup: 0,
        finalWeightDecay: undefined,
        weightDecay: 1,
      } as const;
      // Nothing but the decay moves a scale: the loss is 0.
      const method: AnyMethod = {
        ...shrinking,
        loss: (model, batch, context) => {
          const { loss, ...rest } = shrinking.loss(model, batch, context as never);
          return { ...rest, loss: loss.mul(0) };
        },
      };
      const { encoder } = await stepsOf(method, { ...still, steps: 1, decayAll });
      return encoder.model.parameters['bn1.weight']!.dataSync()[0];
    };
    expect(await scaleAfter(true)).toBeCloseTo(0.9, 6);
    expect(await scaleAfter()).toBe(1);
    await expect(stepsOf(shrinking, { optimizer: 'lars', decayAll: true })).rejects.toThrow(
      /lars leaves biases and norms alone/,
    );
  });

  it("leaves a transformer's class token and positions without decay only where that is asked for", async () => {
    const transformer = vit({ imageSize: 32, patchSize: 16, width: 8, depth: 1, heads: 1 });
    const still = { ...shrinking, backbone: transformer, initialize: (key: Key) => transformer.initialize(key) };
    const method: AnyMethod = {
      ...still,
      loss(model, { views }) {
        const { features, state } = transformer.apply(model, views[0]!, { training: true });
        return { loss: features.mean().mul(0) as Tensor, state };
      },
      encoder: (model) => model,
    };
    const kept = async (decayTokens?: boolean) => {
      const changes = { optimizer: 'sgd', learningRate: 0.1, warmup: 0, weightDecay: 1, steps: 1 } as const;
      const { encoder } = await stepsOf(method, { ...changes, finalWeightDecay: undefined, decayTokens });
      const untrained = untrainedEncoder(method, { settings, batches: batches() }).model.parameters;
      return ['cls_token', 'pos_embed', 'blocks.0.mlp.fc1.weight'].map((name) => {
        const [after, before] = [encoder.model.parameters[name]!, untrained[name]!];
        return (after.square().sum().sqrt() as Tensor).div(before.square().sum().sqrt()).dataSync()[0];
      });
    };
    const close = (values: number[]) => values.map((value) => expect.closeTo(value, 5));
    expect(await kept(false)).toEqual(close([1, 1, 0.9]));
    expect(await kept()).toEqual(close([0.9, 0.9, 0.9]));
    await expect(stepsOf(shrinking, { optimizer: 'lars', decayTokens: false })).rejects.toThrow(
      /decayTokens are not for it/,
    );
  });
});

describe('the weights that a pretraining begins with', () => {
  it('are those of a run folder or a file', async () => {
    const before = tf.memory().numTensors;
    const other = untrainedEncoder(shrinking, { settings: { ...settings, seed: 9 }, batches: batches() });
    const { parameters, state } = other.model;
    const stored = toTorch(other.model);
    await writeSafetensors(join(top, 'backbone.safetensors'), stored);
    for (const init of [top, join(top, 'backbone.safetensors')]) {
      const { encoder } = await stepsOf(shrinking, { init, learningRate: Number.MIN_VALUE, steps: 1, warmup: 0 });
      for (const [name, tensor] of Object.entries(encoder.model.parameters)) {
        expect([...tensor.dataSync()], name).toEqual([...parameters[name]!.dataSync()]);
      }
      disposeTensors(encoder.model.parameters, encoder.model.state);
    }
    disposeTensors(parameters, state, stored);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('are refused where there are none or others are wanted, by name', async () => {
    await expect(initialWeights(join(top, 'none'), backbone)).rejects.toThrow(
      /init is "random", "imagenet", a run folder or .*none/,
    );
    await expect(initialWeights(top, resnet({ depth: 18, width: 0.25 }))).rejects.toThrow(
      /does not fit resnet18.*has other shapes: conv1\.weight \[8,3,7,7\] instead of \[16,3,7,7\], .* and \d+ more/,
    );
    expect(await initialWeights('random', backbone)).toBeUndefined();
    const unfinished = join(top, 'unfinished');
    mkdirSync(unfinished);
    await expect(initialWeights(unfinished, backbone)).rejects.toThrow(/unfinished, a folder without weights/);
    await expect(initialWeights('', backbone)).rejects.toThrow(/a file of weights; there is no $/);
    writeFileSync(join(unfinished, 'parameters.json'), '{}');
    await expect(initialWeights(unfinished, backbone)).rejects.toThrow(/unfinished, a run that is not finished/);
  });
});

import { expect, it } from 'vitest';
import type { BatchSource } from '../../src/input/index.js';
import { type Method, type PretrainSettings, SharedStep } from '../../src/pretrain/index.js';
import { smallTraining } from '../training/small-training.js';

it('shares a step between trainings of other lengths and learning rates, and no others', () => {
  const shared = new SharedStep();
  const method = { name: 'a method', settings: {}, backbone: { name: 'a backbone' }, views: [] } as unknown as Method;
  const batches = { dataset: { indexSha256: '0' }, size: 32, batchSize: 8 } as BatchSource;
  const settings: PretrainSettings = {
    ...{ seed: 1, steps: 10, optimizer: 'sgd', learningRate: 0.1, warmup: 0.1, weightDecay: 0 },
    ...{ precision: 'float32', evaluationCrop: 1 },
  };
  const stepOf = (changes: Partial<PretrainSettings>) =>
    shared.of(method, { settings: { ...settings, ...changes }, batches }, smallTraining(2));
  const step = stepOf({});
  const alike: Partial<PretrainSettings> = { seed: 2, init: 'a file', steps: 20, learningRate: 1, warmup: 0 };
  for (const [name, value] of Object.entries(alike)) expect(stepOf({ [name]: value }), name).toBe(step);
  expect(stepOf({ steps: undefined, epochs: 3, finalLearningRate: 0.01 })).toBe(step);
  expect(stepOf({ weightDecay: 0.1 })).not.toBe(step);
  shared.dispose();
});

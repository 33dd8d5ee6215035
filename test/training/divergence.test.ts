import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type Tensor, tf } from '../../src/engine/index.js';
import {
  dynamicLossScaling,
  type Objective,
  sgd,
  type TrainingEvent,
  type TrainOptions,
  train,
} from '../../src/training/index.js';
import { smallTraining } from './small-training.js';

const top = mkdtempSync(join(tmpdir(), 'divergence-'));
afterAll(() => rmSync(top, { recursive: true }));

/** A training whose loss is moved up in the steps from `from` to `to`, counted from 1. */
function moved(steps: number, { from, to }: { from: number; to: number }): TrainOptions {
  const options = smallTraining(steps, 1, sgd());
  const added = (step: number) => (step + 1 >= from && step < to ? 100 : 0);
  const loss: Objective['loss'] = (model, { added, ...batch }, context) => {
    const result = options.objective.loss(model, batch, context);
    return { ...result, loss: result.loss.add(added!.mean()) as Tensor };
  };
  return {
    ...options,
    batch: async (step) => ({ ...(await options.batch(step)), added: tf.fill([8], added(step)) }),
    objective: { ...options.objective, loss },
    schedules: { learningRate: () => 0.01 },
    chanceLoss: 1,
  };
}

describe('a training that diverges', () => {
  it('ends after 50 steps in a row, with the last checkpoint of before', async () => {
    const checkpoint = { folder: join(top, 'diverged'), identity: {}, everySteps: 5 };
    await expect(train({ ...moved(80, { from: 13, to: 80 }), checkpoint })).rejects.toThrow(
      /has diverged: for 50 steps the loss was more than 10 times that of outputs that are all alike \(1\). It ends at step 62 of 80 .*last good checkpoint is .*step-00000010/,
    );
    expect(readdirSync(checkpoint.folder)).toEqual(['step-00000010.safetensors']);
  });

  it('goes on after a shorter time, and where no loss of uniform outputs is known', async () => {
    await expect(train(moved(60, { from: 2, to: 50 }))).resolves.toMatchObject({ steps: 60 });
    const unknown = { ...moved(60, { from: 2, to: 60 }), chanceLoss: undefined };
    await expect(train(unknown)).resolves.toMatchObject({ steps: 60 });
  });
});

describe('gradients of a scaled loss that are not finite', () => {
  /** A training without a finite gradient in so many steps from the fifth on, though its loss is finite. */
  function broken(steps: number): TrainOptions {
    const options = smallTraining(10, 1, dynamicLossScaling(sgd(), { initial: 4 }));
    const loss: Objective['loss'] = (model, { whole, ...batch }, context) => {
      const result = options.objective.loss(model, batch, context);
      // The slope of a square root at 0 is not finite, and its value is.
      const root = model.parameters['fc.weight']!.square().sum().mul(whole!.mean()).sqrt().mul(1e-9);
      return { ...result, loss: result.loss.add(root) as Tensor };
    };
    const isBroken = (step: number) => step >= 4 && step < 4 + steps;
    return {
      ...options,
      batch: async (step) => ({ ...(await options.batch(step)), whole: tf.fill([8], isBroken(step) ? 0 : 1) }),
      objective: { ...options.objective, loss },
      schedules: { learningRate: () => 0.01 },
    };
  }

  it('lower the scale, which is told with each step', async () => {
    const scales: number[] = [];
    const onEvent = (event: TrainingEvent) => void (event.kind === 'step' && scales.push(Number(event.lossScale)));
    await train({ ...broken(2), onEvent });
    expect(scales).toEqual([4, 4, 4, 4, 4, 2, 1, 1, 1, 1]);
  });

  it('end the training at a scale of 1, naming the layer', async () => {
    await expect(train(broken(3))).rejects.toThrow(
      /gradients' norm is not finite at step 7 of 10 .*it began in the gradient of "fc.weight"/,
    );
  });
});

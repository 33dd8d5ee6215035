import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { type Tensor, type Tensors, tf } from '../../src/engine/index.js';
import { vit } from '../../src/models/index.js';
import { type Objective, sgd, type TrainingEvent, type TrainOptions, train } from '../../src/training/index.js';
import { smallTraining } from './small-training.js';

const top = mkdtempSync(join(tmpdir(), 'find-layer-'));
afterAll(() => rmSync(top, { recursive: true }));

/** A transformer, which leaves no statistics, one of whose biases is not finite in the fifth step alone. */
function broken(bias: string, changes: Partial<TrainOptions> = {}) {
  const options = smallTraining(8, 1, sgd());
  const network = vit({ patchSize: 4, imageSize: 8, width: 8, depth: 3, heads: 2 });
  const loss: Objective['loss'] = ({ parameters, state }, { images, answers, infinite }) => {
    const hurt = {
      ...parameters,
      [bias]: parameters[bias]!.add(infinite!.toFloat().max().mul(1e38).mul(10)) as Tensor,
    };
    const { features } = network.apply({ parameters: hurt, state }, images!, { training: true });
    return { loss: features.mean(1).sub(answers!).square().mean() as Tensor, state };
  };
  const taken: number[] = [];
  const events: TrainingEvent[] = [];
  const running = train({
    ...options,
    ...changes,
    objective: { initialize: (key) => network.initialize(key), loss },
    async batch(step) {
      taken.push(step);
      const batch: Tensors = await options.batch(step);
      return { ...batch, infinite: tf.fill([8], step === 4 ? 1 : 0, 'int32') };
    },
    onEvent: (event) => void events.push(event),
  });
  return { running, taken, events };
}

it.each(['float32', 'bfloat16'] as const)('names the block of a transformer, in %s', async (precision) => {
  const count = () => tf.memory().numTensors;
  const first = count();
  smallTraining(8);
  const second = count();
  const { running, taken, events } = broken('blocks.1.mlp.fc2.bias', { precision });
  await expect(running).rejects.toThrow(/the loss is NaN at step 5 of 8 .*it began in the output of "blocks.1"\./);
  // The steps from the first on, once more.
  expect(taken).toEqual([0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4]);
  expect(events.at(-2)).toEqual({ kind: 'looking back', step: 5, from: 0 });
  // Its images and answers.
  expect(count() - second).toBe(second - first);
});

it('begins at the last checkpoint', async () => {
  const checkpoint = { folder: join(top, 'kept'), identity: {}, everySteps: 3 };
  const { running, taken } = broken('patch_embed.proj.bias', { checkpoint });
  await expect(running).rejects.toThrow(/it began in the output of "patch_embed"\. The last good .*step-00000003/);
  expect(taken.slice(-2)).toEqual([3, 4]);
});

it('says what is not finite in the batch itself', async () => {
  const options = smallTraining(4);
  const images = () => tf.fill([8, 8, 8, 3], Number.NaN);
  const batch = async (step: number) => ({ ...(await options.batch(step)), ...(step === 1 && { images: images() }) });
  await expect(train({ ...options, batch })).rejects.toThrow(/step 2 of 4 .*it began in the batch's "images"\./);
});

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { InterruptedError, throwIfInterrupted } from '../../src/base/index.js';
import { type TrainingEvent, type TrainOptions, train } from '../../src/training/index.js';
import { smallTraining } from './small-training.js';

const top = mkdtempSync(join(tmpdir(), 'interrupted-evaluation-'));
afterAll(() => rmSync(top, { recursive: true }));

/** A training of four steps whose evaluation after step `at` is stopped in its midst, if it is given. */
function trained(folder: string, at?: number) {
  const controller = new AbortController();
  const events: string[] = [];
  const score = (step: number) => ({ score: [1, 2, 5, 3, 4][step]! });
  const options: TrainOptions = {
    ...smallTraining(4),
    best: { metric: 'score' },
    checkpoint: { folder: join(top, folder), identity: {}, everySteps: 3 },
    monitors: [
      { everySteps: 2, run: (_, step) => score(step) },
      {
        everySteps: 2,
        run: (_, step) => {
          if (step === at) controller.abort();
          throwIfInterrupted(controller.signal, 'the evaluation');
          return { rank: step };
        },
      },
    ],
    onEvent: (event: TrainingEvent) => void events.push(`${event.kind} ${event.step}`),
    signal: controller.signal,
  };
  return { events, running: train(options) };
}

it.each([0, 2, 4])('an interrupt of the evaluation after step %i is one of the training', async (at) => {
  const whole = trained(`whole ${at}`);
  const expected = await whole.running;
  const first = trained(`stopped ${at}`, at);
  const error = await first.running.catch((error: Error) => error);
  expect(error).toBeInstanceOf(InterruptedError);
  expect((error as Error).message).toContain(`after step ${at} of 4; the checkpoint is`);
  expect(first.events.slice(-2)).toEqual([`checkpoint ${at}`, `interrupted ${at}`]);

  const second = trained(`stopped ${at}`);
  const { best, tensors } = await second.running;
  expect(second.events.slice(0, 2)).toEqual([`resumed ${at}`, `evaluation ${at}`]);
  const told = (events: readonly string[]) => events.filter((event) => /^(step|evaluation|best|finished)/.test(event));
  expect(told([...first.events, ...second.events])).toEqual(told(whole.events));
  expect(best).toEqual(expected.best);
  for (const [name, tensor] of Object.entries(expected.tensors.parameters)) {
    expect(tensors.parameters[name]!.dataSync()).toEqual(tensor.dataSync());
  }

  // Nothing is left to do.
  const third = trained(`stopped ${at}`);
  await third.running;
  expect(third.events).toEqual(['resumed 4', 'finished 4']);
});

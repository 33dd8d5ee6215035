import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { type TrainingMonitor, type TrainOptions, train } from '../../src/training/index.js';
import { smallTraining } from './small-training.js';

const top = mkdtempSync(join(tmpdir(), 'evaluations-'));
afterAll(() => rmSync(top, { recursive: true }));

const checkpointIn = (folder: string) => ({ folder: join(top, folder), identity: {}, everySteps: 1 });
const trained = (monitor: TrainingMonitor, changes: Partial<TrainOptions>) =>
  train({ ...smallTraining(4), monitors: [monitor], ...changes });

it('a model with weights that are not finite is not evaluated: the error names the step and the last good checkpoint', async () => {
  const seen: number[] = [];
  const monitor = { everySteps: 1, run: (_: unknown, step: number) => ({ at: seen.push(step) }) };
  // The loss of the third step is still finite.
  const schedules = { learningRate: (step: number) => (step === 2 ? Number.POSITIVE_INFINITY : 0.1) };
  await expect(trained(monitor, { schedules, checkpoint: checkpointIn('diverged') })).rejects.toThrow(
    /"conv1.weight" holds values that are not finite after step 3 of 4. The last good checkpoint is .*step-00000002/,
  );
  expect(seen).toEqual([0, 1, 2]);
});

it('a monitor that fails names the step and the last good checkpoint', async () => {
  const monitor = {
    everySteps: 2,
    run(_: unknown, step: number) {
      if (step === 2) throw new RangeError('there are no patches');
      return {};
    },
  };
  await expect(trained(monitor, { checkpoint: checkpointIn('failed') })).rejects.toThrow(
    /the evaluation after step 2 of 4 failed: there are no patches. The last good checkpoint is .*step-00000001/,
  );
  await expect(trained(monitor, {})).rejects.toThrow(/after step 2 .*There is no checkpoint before it/);
});

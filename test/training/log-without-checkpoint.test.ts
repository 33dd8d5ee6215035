import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { EventLog, readEvents } from '../../src/runs/index.js';
import { train } from '../../src/training/index.js';
import { smallTraining } from './small-training.js';

it('drops what a run logged that was killed before its first checkpoint, and keeps its own events', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'log-without-checkpoint-'));
  try {
    const path = join(folder, 'events.jsonl');
    const killed = await EventLog.open(path);
    for (const step of [1, 2]) await killed.append({ kind: 'step', step, loss: 9 });
    await killed.sync();
    const log = await EventLog.open(path);
    await log.append({ kind: 'opened' });
    await train({
      ...smallTraining(3),
      checkpoint: { folder: join(folder, 'checkpoints'), everySteps: 5, identity: {}, log },
      onEvent: async (event) => log.append({ ...event }),
    });
    await log.sync();
    const steps: unknown[] = [];
    for await (const { step } of readEvents(path, { kind: 'step' })) steps.push(step);
    expect(steps).toEqual([1, 2, 3]);
    const opened: unknown[] = [];
    for await (const event of readEvents(path, { kind: 'opened' })) opened.push(event);
    expect(opened).toHaveLength(1);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

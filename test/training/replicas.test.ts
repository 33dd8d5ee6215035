import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runWorkers } from '../engine/workers.js';

const program = '../training/replicas-worker.mjs';

describe('processes as replicas', () => {
  it('take means of tensors in packs, and of float32 only', async () => {
    const workers = await runWorkers<{ means: Record<string, [number[], number[]]>; refused: string }>(program, 2, {
      scenario: 'mean',
    });
    for (const { result, error } of workers) {
      expect(result?.means, error).toEqual({
        scalar: [[], [0.5]],
        matrix: [
          [2, 2],
          [0.5, 1, 2, -0.5],
        ],
        large: [[8], [0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5]],
        row: [[2], [0.5, 3]],
      });
      expect(result!.refused).toMatch(/float32 tensors; "counts" is int32/);
    }
  });

  it('wait for the first one beyond the timeout, as long as it lives, and learn what it found or that it failed', async () => {
    const [first, second] = await runWorkers(program, 2, { scenario: 'first', timeoutSeconds: 2 });
    expect(first!.result, first!.error).toEqual({ own: [0], result: 7, error: 'a full disk', after: 8 });
    const error = expect.stringMatching(/the first worker failed/);
    expect(second!.result, second!.error).toEqual({ own: [], result: 7, error, after: 8 });
  });

  it('tell of their number in every step, and of what the exchange costs and how much it is in every tenth', async () => {
    type Told = { own: number; values: number[]; steps: Record<string, number>[] };
    const workers = await runWorkers<Told>(program, 2, { scenario: 'cost', timeoutSeconds: 2 });
    for (const { result, error } of workers) {
      expect(result?.own, error).toBe(1);
      expect(result!.values).toEqual([0.5, 1.5]);
    }
    const { steps } = workers[0]!.result!;
    expect(workers[1]!.result!.steps).toEqual([]);
    expect(steps).toHaveLength(20);
    for (const [at, step] of steps.entries()) {
      expect(step.processes).toBe(2);
      expect(Object.keys(step)).not.toContain('stepSeconds');
      if (at !== 9 && at !== 19) {
        expect(step).not.toHaveProperty('efficiency');
        continue;
      }
      const { efficiency, waitingShare, exchangeShare, exchangedBytes } = step;
      expect(efficiency).toBeGreaterThan(0);
      expect(waitingShare).toBeGreaterThanOrEqual(0);
      expect(efficiency! + waitingShare! + exchangeShare!).toBeCloseTo(1);
      // Six rows of state, five gradients, and the means of loss, norm, time of a step and whether to stop.
      expect(exchangedBytes).toBe(4 * (6 + 5 + 4));
    }
  });

  it('stop after the same step where one is asked to; the first one evaluates, tells and writes the checkpoint', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'replicas-'));
    try {
      const [first, second] = await runWorkers<Record<string, unknown>>(program, 2, { scenario: 'interrupt', folder });
      const interrupted = expect.stringMatching(/^InterruptedError: training was interrupted after step [45] of 40; /);
      const { error, events, evaluated } = first!.result!;
      const { length } = (events as string[][]).filter(([kind]) => kind === 'step');
      expect(error, first!.error).toEqual(interrupted);
      expect(second!.result, second!.error).toEqual({ error: interrupted, events: [], evaluated: [] });
      expect(evaluated).toEqual([0, 3]);
      expect((events as unknown[]).slice(-2)).toEqual([
        ['checkpoint', length],
        ['interrupted', length],
      ]);
      expect(readdirSync(folder).sort()).toEqual(['best.safetensors', `step-0000000${length}.safetensors`]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

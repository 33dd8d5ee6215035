import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { key } from '../../src/base/index.js';
import { compileDataset } from '../../src/datasets/index.js';
import { readSafetensors } from '../../src/engine/index.js';
import { smallDataset } from '../datasets/small-dataset.js';
import { runWorkers } from '../engine/workers.js';
import { relativeError, valuesOf } from './one-step.js';

const pathlab = fileURLToPath(new URL('../../kernel-setup/pathlab.mjs', import.meta.url));
const program = '../pretrain/replicas-worker.mjs';
const fresh = () => mkdtempSync(join(top, 'run-'));
let top: string;
let folder: string;
beforeAll(async () => {
  top = mkdtempSync(join(tmpdir(), 'pretrain-replicas-'));
  ({ folder } = await compileDataset(await smallDataset(4), { data: join(top, 'data') }));
});
afterAll(() => rmSync(top, { recursive: true, force: true }));

type Losses = Record<string, number[]>;

/** Trains in so many workers at once. */
const workersOf = (count: number, options: { run: string; names: readonly string[]; [name: string]: unknown }) =>
  runWorkers<Losses>(program, count, { folder, steps: 20, ...options });

/** @returns the losses, of which the first worker tells */
async function trainWith(count: number, options: Parameters<typeof workersOf>[1]): Promise<Losses> {
  const ended = await workersOf(count, options);
  for (const { code, error } of ended) expect(code, error).toBe(0);
  return ended[0]!.result!;
}

/** As two workers by `pathlab launch`. */
async function launch(options: Record<string, unknown>): Promise<{ losses: Losses; error: string }> {
  const worker = fileURLToPath(new URL(program, import.meta.url));
  const command = [process.execPath, worker, JSON.stringify({ folder, steps: 20, ...options })];
  const launcher = spawn(process.execPath, [pathlab, 'launch', '--processes', '2', '--', ...command]);
  const [[code], out, error] = await Promise.all([
    once(launcher, 'close'),
    text(launcher.stdout),
    text(launcher.stderr),
  ]);
  expect(code, error).toBe(0);
  return { losses: JSON.parse(out) as Losses, error };
}

const weightsOf = async (run: string, name: string) =>
  (await readSafetensors(join(run, `${name}.safetensors`))).tensors;

function expectSame(losses: readonly number[], expected: readonly number[], what: string): void {
  expect(losses, what).toHaveLength(expected.length);
  for (const [step, loss] of losses.entries()) {
    const ratio = loss / expected[step]!;
    expect(Math.abs(ratio - 1), `${what}, step ${step}: ${loss} and ${expected[step]}`).toBeLessThan(1e-4);
  }
}

describe('a training whose batches several workers divide', () => {
  /** What running statistics differ by after 20 steps, relative: BYOL and DINO, with sharper losses, magnify rounding. */
  const tolerances = {
    ...{ Supervised: 1e-5, SimCLR: 1e-5, 'MoCo v2': 1e-5, 'MoCo v2 in one group': 1e-5 },
    ...{ BYOL: 1e-4, DINO: 1e-2, MAE: 0 },
  };
  const names = Object.keys(tolerances);

  it('is that of one worker with the whole batches: every method, 20 steps', async () => {
    const runs = [fresh(), fresh()];
    const [one, two] = await Promise.all(runs.map((run, at) => trainWith(at + 1, { run, names })));
    for (const [name, tolerance] of Object.entries(tolerances)) {
      expect(one![name]).toHaveLength(20);
      expectSame(two![name]!, one![name]!, name);
      const [whole, divided] = await Promise.all(runs.map((run) => weightsOf(run, name)));
      for (const [tensor, values] of Object.entries(whole!).filter(([tensor]) => tensor.includes('.running_'))) {
        expect(relativeError(divided![tensor]!, valuesOf(values)), `${name}: ${tensor}`).toBeLessThan(tolerance);
      }
    }
  }, 180_000);

  it('goes on after a worker was killed, to the bits of an undisturbed one, and with four workers to the same losses', async () => {
    const name = 'SimCLR';
    const [whole, broken, wider] = [fresh(), fresh(), fresh()];
    const killed = { index: 1, step: 12, milliseconds: key('replicas').generator().integer(40) };
    const common = { names: [name], every: 5 };
    const [undisturbed, launched, [first, second]] = await Promise.all([
      trainWith(2, { run: whole, ...common }),
      launch({ run: broken, killed, ...common }),
      workersOf(2, { run: wider, killed, ...common }),
    ]);
    expect(launched.error).toMatch(/worker 1 of 2 was killed by SIGKILL[\s\S]*all workers are started again/);
    expect(launched.losses[name]).toEqual(undisturbed[name]!.slice(10));
    const [bits, expected] = [broken, whole].map((run) => readFileSync(join(run, `${name}.safetensors`)));
    expect(bits!.equals(expected!)).toBe(true);

    expect(second!.signal).toBe('SIGKILL');
    expect(first!.code).toBe(1);
    expect(first!.error).toMatch(/worker 0 of 2 cannot go on, .* they continue from the last checkpoint/);
    const withFour = await trainWith(4, { run: wider, ...common });
    expectSame(withFour[name]!, undisturbed[name]!.slice(10), 'four workers');
  }, 180_000);
});

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  openRun,
  type PretrainSettings,
  pretrain,
  pretrainExperiment,
  pretrainingData,
  readEvents,
  watch,
} from '../../src/index.js';
import { workersOf } from '../experiments/living-processes.js';

const parameters = { scale: 'smoke' as const, epochs: 4, seed: 1 };
// Without batch norm: small networks with it magnify rounding a thousandfold in a few steps, in one process too.
const experiment = pretrainExperiment('15-pretrain-mae', parameters);
const { method, notebook } = experiment;
let top: string;
let data: Awaited<ReturnType<typeof pretrainingData>>;
const fresh = () => mkdtempSync(join(top, 'run-'));

beforeAll(async () => {
  top = mkdtempSync(join(tmpdir(), 'divided-training-'));
  data = await pretrainingData(experiment);
  vi.spyOn(console, 'log').mockImplementation(() => {});
});
afterAll(() => rmSync(top, { recursive: true, force: true }));

interface Options {
  processes: number;
  settings?: PretrainSettings;
  /** Is called after every step, and tells where its end is. */
  onStep?: (step: number) => void;
}

/** Pretrains as the notebook's cell does. */
async function train({ processes, settings = experiment.settings, onStep = () => {} }: Options) {
  const run = await openRun({ notebook, parameters, out: fresh() });
  const emit = run.emit.bind(run);
  run.emit = async (event) => {
    await emit(event);
    if (event.kind === 'step') onStep(event.step as number);
  };
  const watched = watch(run, experiment, data);
  const { model } = await pretrain(method, { settings, batches: data.train, processes, ...watched });
  const steps: Record<string, number>[] = [];
  for await (const event of readEvents(run.log.path, { kind: 'step' })) steps.push(event as never);
  const weights = Object.entries({ ...model.parameters, ...model.state });
  return {
    steps,
    bits: weights.map(([name, tensor]) => [name, Buffer.from(tensor.dataSync().buffer).toString('hex')]),
  };
}

async function untilNone(launcher: number): Promise<void> {
  for (let tries = 0; workersOf(launcher).length > 0 && tries < 100; tries++) await setTimeout(100);
  expect(workersOf(launcher).map(({ pid }) => pid)).toEqual([]);
}

describe.skipIf(!existsSync('/proc/self/environ'))('a cell that trains in two processes (looks at /proc)', () => {
  it('trains as in one; and to the same bits if a process is killed', async () => {
    const one = await train({ processes: 1 });
    const two = await train({ processes: 2 });
    expect(two.steps).toHaveLength(one.steps.length);
    for (const [at, { loss }] of two.steps.entries()) {
      expect(Math.abs(loss! / one.steps[at]!.loss! - 1), `step ${at + 1}`).toBeLessThan(1e-4);
    }
    expect(one.steps[0]).not.toHaveProperty('processes');
    for (const step of two.steps) expect(step.processes).toBe(2);
    const { efficiency, waitingShare, exchangeShare, exchangedBytes } = two.steps[9]!;
    expect(efficiency).toBeGreaterThan(0);
    expect(efficiency! + waitingShare! + exchangeShare!).toBeCloseTo(1);
    expect(exchangedBytes).toBeGreaterThan(0);

    const warned = vi.spyOn(console, 'warn').mockImplementation(() => {});
    let killed = 0;
    const onStep = (step: number) => {
      if (step < 9 || killed > 0) return;
      killed = workersOf(process.pid).find(({ variables }) => variables.RANK === '1')!.pid;
      process.kill(killed, 'SIGKILL');
    };
    const broken = await train({ processes: 2, onStep });
    expect(killed).toBeGreaterThan(0);
    expect(warned.mock.calls.flat().join('\n')).toMatch(
      /worker \d of 2 [\s\S]*all workers are started again \(1 of at most 3\)/,
    );
    warned.mockRestore();
    expect(broken.bits).toEqual(two.bits);
    expect(broken.steps.map(({ step, loss }) => [step, loss])).toEqual(two.steps.map(({ step, loss }) => [step, loss]));
    await untilNone(process.pid);
  }, 120_000);

  it('says which process failed and why, and starts none again that would fail again', async () => {
    const other = { ...experiment.settings, learningRate: 1 };
    await expect(train({ processes: 2, settings: other })).rejects.toThrow(
      /the training in 2 processes failed: worker \d of 2 failed with exit code 2:[\s\S]*another experiment than its notebook and parameters make.*differs in settings/,
    );
    await untilNone(process.pid);
  }, 60_000);

  it('takes its processes with it when it is killed', async () => {
    const program = fileURLToPath(new URL('divided-training.mjs', import.meta.url));
    const folder = fresh();
    const coordinator = spawn(process.execPath, [program, folder], { stdio: 'ignore' });
    const hasTrained = () => {
      const log = join(folder, 'events.jsonl');
      return existsSync(log) && readFileSync(log, 'utf8').includes('"kind":"step"');
    };
    for (let tries = 0; !hasTrained() && tries < 300; tries++) await setTimeout(100);
    expect(workersOf(coordinator.pid!)).toHaveLength(2);
    coordinator.kill('SIGKILL');
    await untilNone(coordinator.pid!);
  }, 60_000);

  it.each([
    [{ processes: 0 }, /processes must be an integer of 1 or more; got 0/],
    [{ processes: 3 }, /batchSize 8 cannot be divided among 3 processes/],
  ])('refuses %o', async (options, message) => {
    await expect(train(options)).rejects.toThrow(message);
  });

  it('needs what watch() gives', async () => {
    const { settings } = experiment;
    await expect(pretrain(method, { settings, batches: data.train, processes: 2 })).rejects.toThrow(
      /processes 2: give pretrain\(\) what watch\(\) gives, too/,
    );
  });
});

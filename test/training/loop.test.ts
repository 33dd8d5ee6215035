import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InterruptedError, projectRoot } from '../../src/base/index.js';
import {
  ConvAlgorithms,
  disposeTensors,
  mapTensors,
  randomUniform,
  readSafetensors,
  subTensors,
  type Tensor,
  type Tensors,
  tf,
  withPrefix,
} from '../../src/engine/index.js';
import { EventLog, readEvents } from '../../src/runs/index.js';
import {
  adamw,
  cosine,
  dynamicLossScaling,
  loadLatestCheckpoint,
  movingAverage,
  type Objective,
  sgd,
  singleReplica,
  type TrainingEvent,
  type TrainingTensors,
  type TrainOptions,
  train,
} from '../../src/training/index.js';
import { smallTraining } from './small-training.js';

const folders: string[] = [];
function freshFolder(): string {
  folders.push(mkdtempSync(join(tmpdir(), 'training-')));
  return folders.at(-1)!;
}
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});
const checkpointIn = (folder: string, everySteps = 100) => ({ folder, identity: { run: 'this' }, everySteps });

/** What a training reports of its steps and evaluations. */
function historyIn(events: TrainingEvent[]) {
  return events.flatMap((event) => {
    if (event.kind !== 'step' && event.kind !== 'evaluation') return [];
    const { imagesPerSecond: _, seconds: _s, memoryGibibytes: _m, ...entry } = event as Record<string, number | string>;
    return [entry];
  });
}

/** Trains, and gives its history too. */
async function trainWatched<Name extends string>(options: TrainOptions<Name>) {
  const events: TrainingEvent[] = [];
  const onEvent = (event: TrainingEvent) => void events.push(event);
  return { ...(await train({ ...options, onEvent })), events, history: historyIn(events) };
}

function contents({ parameters, state, optimizer }: TrainingTensors): Record<string, number[]> {
  const named = {
    ...parameters,
    ...state,
    ...Object.fromEntries(Object.entries(optimizer).map(([n, t]) => [`o/${n}`, t])),
  };
  return Object.fromEntries(Object.entries(named).map(([name, tensor]) => [name, Array.from(tensor.dataSync())]));
}

/** Stops after so many steps, the way a user does. */
async function interruptAfter<Name extends string>(
  steps: number,
  options: TrainOptions<Name>,
  events: TrainingEvent[] = [],
): Promise<Error> {
  const controller = new AbortController();
  const onEvent = (event: TrainingEvent) => {
    events.push(event);
    if (event.kind === 'step' && event.step === steps) controller.abort();
  };
  return train({ ...options, onEvent, signal: controller.signal }).then(
    () => {
      throw new Error('it was not interrupted');
    },
    (error: Error) => error,
  );
}

describe('train', () => {
  it('reports what it does, in order', async () => {
    const folder = freshFolder();
    const events: TrainingEvent[] = [];
    const result = await train({
      ...smallTraining(5),
      checkpoint: checkpointIn(folder, 4),
      monitors: [
        { everySteps: 2, run: (_tensors, step) => ({ accuracy: step / 10 }) },
        { everySteps: 4, run: async () => ({ rank: 7 }) },
      ],
      onEvent: (event) => void events.push(event),
    });
    expect(events.map(({ kind, step }) => `${kind} ${step}`)).toEqual([
      'evaluation 0',
      'step 1',
      'step 2',
      'evaluation 2',
      'step 3',
      'step 4',
      'evaluation 4',
      'checkpoint 4',
      'step 5',
      'evaluation 5',
      'checkpoint 5',
      'finished 5',
    ]);
    expect(events[1]).toMatchObject({ steps: 5, learningRate: 0.5 });
    expect((events[1] as { imagesPerSecond: number }).imagesPerSecond).toBeGreaterThan(0);
    expect(historyIn(events).filter(({ kind }) => kind === 'evaluation')).toEqual([
      { kind: 'evaluation', step: 0, accuracy: 0, rank: 7 },
      { kind: 'evaluation', step: 2, accuracy: 0.2 },
      { kind: 'evaluation', step: 4, accuracy: 0.4, rank: 7 },
      { kind: 'evaluation', step: 5, accuracy: 0.5, rank: 7 },
    ]);
    expect(Object.keys(result.tensors.parameters)).toEqual(['conv1.weight', 'fc.weight', 'fc.bias']);
    expect(readdirSync(folder)).toEqual(['step-00000005.safetensors']);
  });

  it('learns, and keeps the number of tensors', async () => {
    const counts: number[] = [];
    const losses: number[] = [];
    const { tensors } = await train({
      ...smallTraining(30),
      onEvent: (event) => {
        if (event.kind !== 'step') return;
        counts.push(tf.memory().numTensors);
        losses.push(event.loss);
      },
    });
    // After the last step no batch is made ahead.
    expect(new Set(counts.slice(0, -1)).size).toBe(1);
    const mean = (values: number[]) => values.reduce((a, b) => a + b) / values.length;
    expect(mean(losses.slice(-5))).toBeLessThan(0.7 * mean(losses.slice(0, 5)));
    const before = tf.memory().numTensors;
    disposeTensors(tensors.parameters, tensors.state, tensors.optimizer);
    // Three parameters with their velocities, and one running statistic.
    expect(tf.memory().numTensors).toBe(before - 7);
  });

  it('lets the event loop run between steps', async () => {
    let turns = 0;
    const timer = setInterval(() => turns++, 0);
    const steps: number[] = [];
    await train({ ...smallTraining(8), onEvent: ({ kind }) => void (kind === 'step' && steps.push(turns)) });
    clearInterval(timer);
    expect(steps.at(-1)).toBeGreaterThan(steps[0]!);
  });

  it('makes the next batch while a step runs', async () => {
    const order: string[] = [];
    const options = smallTraining(3);
    await train({
      ...options,
      batch: async (step) => {
        order.push(`batch ${step}`);
        return options.batch(step);
      },
      onEvent: ({ kind, step }) => void (kind === 'step' && order.push(`done ${step}`)),
    });
    expect(order).toEqual(['batch 0', 'batch 1', 'done 1', 'batch 2', 'done 2', 'done 3']);
  });

  it('reports a batch that cannot be made after the step before it, and leaves nothing behind', async () => {
    const options = smallTraining(6);
    const before = tf.memory().numTensors;
    const done: number[] = [];
    const broken = train({
      ...options,
      batch: async (step) => (step < 3 ? options.batch(step) : Promise.reject(new Error('the disk is gone'))),
      onEvent: ({ kind, step }) => void (kind === 'step' && done.push(step)),
    });
    await expect(broken).rejects.toThrow('the disk is gone');
    expect(done).toEqual([1, 2, 3]);
    const stopped = await interruptAfter(2, options);
    expect(stopped).toBeInstanceOf(InterruptedError);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('refuses float16 without loss scaling, which would lose small gradients in silence', async () => {
    const options = smallTraining(2);
    const before = tf.memory().numTensors;
    await expect(train({ ...options, precision: 'float16' })).rejects.toThrow(
      /float16 needs loss scaling.*dynamicLossScaling/,
    );
    expect(tf.memory().numTensors).toBe(before);
    const { tensors } = await train({
      ...smallTraining(2, 1, dynamicLossScaling(sgd(), { initial: 8 })),
      precision: 'float16',
    });
    expect(tensors.optimizer['loss_scaling.finite_steps']!.dataSync()[0]).toBe(2);
  });

  it('after an interrupt goes on to the same bits, with the same history', async () => {
    const whole = await trainWatched(smallTraining(6));
    const folder = freshFolder();
    const options = { ...smallTraining(6), checkpoint: checkpointIn(folder) };
    const before: TrainingEvent[] = [];
    const error = await interruptAfter(3, options, before);
    expect(error).toBeInstanceOf(InterruptedError);
    expect(error.message).toMatch(/after step 3 of 6; the checkpoint is .*step-00000003.safetensors; run it again/);

    const resumed = await trainWatched(options);
    expect(resumed.events[0]).toMatchObject({ kind: 'resumed', step: 3 });
    expect(resumed.events.filter(({ kind }) => kind === 'step').map(({ step }) => step)).toEqual([4, 5, 6]);
    expect(contents(resumed.tensors)).toEqual(contents(whole.tensors));
    expect([...historyIn(before), ...resumed.history]).toEqual(whole.history);

    const objective = { ...options.objective, initialize: () => expect.fail('there is a checkpoint') };
    const again = await train({ ...options, objective });
    expect(contents(again.tensors)).toEqual(contents(whole.tensors));
  });

  it("measures the forms of convolution gradients once, and goes on with the checkpoint's", async () => {
    const name = '3x3/1 convolution of [8, 8, 8, 3] to 8 channels, SAME, float32';
    const training = (form?: string) => ({
      ...smallTraining(4),
      convAlgorithms: new ConvAlgorithms(form === undefined ? {} : { [name]: form }),
    });
    const events: TrainingEvent[] = [];
    const measured = await train({ ...training(), onEvent: (event) => void events.push(event) });
    expect(events.slice(0, 3).map(({ kind }) => kind)).toEqual([
      'measuring convolutions',
      'measuring convolutions',
      'step',
    ]);
    expect(events[0]).toEqual({ kind: 'measuring convolutions', step: 0, done: 0, total: 1 });
    expect(events[1]).toEqual({ kind: 'measuring convolutions', step: 0, done: 1, total: 1 });
    expect(Object.keys(measured.convAlgorithms!)).toEqual([name]);

    const whole = await train(training('shifts'));
    expect(whole.convAlgorithms).toEqual({ [name]: 'shifts' });
    const checkpoint = checkpointIn(freshFolder());
    await interruptAfter(2, { ...training('shifts'), checkpoint });
    const resumed = await train({ ...training('convolution'), checkpoint });
    expect(resumed.convAlgorithms).toEqual({ [name]: 'shifts' });
    expect(contents(resumed.tensors)).toEqual(contents(whole.tensors));

    // One that was interrupted before its first step has none yet.
    const begun = checkpointIn(freshFolder());
    const stopped = { ...training('shifts'), checkpoint: begun, signal: AbortSignal.abort() };
    await expect(train(stopped)).rejects.toThrow(/interrupted after step 0/);
    expect((await train({ ...training('shifts'), checkpoint: begun })).convAlgorithms).toEqual({ [name]: 'shifts' });

    // A run that had none goes on without.
    const without = checkpointIn(freshFolder());
    await interruptAfter(2, { ...smallTraining(4), checkpoint: without });
    expect((await train({ ...training(), checkpoint: without })).convAlgorithms).toBeUndefined();
  });

  it('keeps what AdamW and a moving average carry on', async () => {
    const plain = smallTraining(6, 1, adamw({ weightDecay: 0.1 }));
    const named = (tensors: Tensors) => withPrefix(tensors, 'target.');
    // A momentum network as methods have one: in the state, moved after the update by a decay that follows a schedule.
    const objective: Objective<'momentum'> = {
      initialize(key) {
        const { parameters, state } = plain.objective.initialize(key);
        return { parameters, state: { ...state, ...named(mapTensors(parameters, (t) => t.clone())) } };
      },
      loss(model, batch, context) {
        const { loss, state } = plain.objective.loss(model, batch, context);
        return { loss, state: { ...model.state, ...state }, metrics: { momentum: context.scheduled.momentum } };
      },
      afterUpdate({ parameters, state }, before, { scheduled }) {
        // Before the update the target is what the last step left.
        const target = movingAverage(subTensors(before.state, 'target.'), parameters, {
          oneMinusDecay: tf.sub(1, scheduled.momentum),
        });
        return { parameters, state: { ...state, ...named(target) } };
      },
      schedules: { momentum: cosine({ from: 0.9, to: 1, steps: 6 }) },
    };
    const options: TrainOptions<'momentum'> = { ...plain, objective };
    const whole = await trainWatched(options);
    expect(Object.keys(whole.tensors.optimizer)).toContain('second/fc.weight');
    expect(whole.history[0]!.momentum).toBeCloseTo(0.9, 6);
    expect(whole.history[3]!.momentum).toBeCloseTo(0.95, 6);
    const checkpoint = checkpointIn(freshFolder());
    await interruptAfter(3, { ...options, checkpoint });
    const resumed = await train({ ...options, checkpoint });
    expect(contents(resumed.tensors)).toEqual(contents(whole.tensors));
    expect(resumed.tensors.optimizer.step!.dataSync()[0]).toBe(6);
  });

  it('gives each step a key of its own, the same after an interrupt', async () => {
    const plain = smallTraining(6);
    const objective: Objective = {
      ...plain.objective,
      loss(model, batch, context) {
        const result = plain.objective.loss(model, batch, context);
        return { ...result, metrics: { drawn: randomUniform(context.random.fold('draw'), []) } };
      },
    };
    const options = { ...plain, objective };
    const drawn = (history: ReturnType<typeof historyIn>) => history.map(({ drawn }) => drawn);
    const whole = drawn((await trainWatched(options)).history);
    expect(new Set(whole).size).toBe(6);
    const checkpoint = checkpointIn(freshFolder());
    await interruptAfter(2, { ...options, checkpoint });
    expect(drawn((await trainWatched({ ...options, checkpoint })).history)).toEqual(whole.slice(2));
    expect(drawn((await trainWatched({ ...options, key: options.key.fold('other') })).history)).not.toEqual(whole);
  });

  it('takes a batch in micro-batches, clips, and reports the norm of the gradients', async () => {
    const plain = smallTraining(3, 1, sgd());
    const whole = await trainWatched({ ...plain, clipNorm: 0.01 });
    const parts = await trainWatched({ ...plain, clipNorm: 0.01, microBatches: 4 });
    whole.history.forEach((entry, step) => {
      expect(parts.history[step]!.loss).toBeCloseTo(entry.loss as number, 5);
      expect(parts.history[step]!.gradientNorm).toBeCloseTo(entry.gradientNorm as number, 5);
    });
    expect(whole.history[0]!.gradientNorm).toBeGreaterThan(0.01);
    // In float16 the gradients come scaled, and their norm is told unscaled.
    const scaled = { ...smallTraining(3, 1, dynamicLossScaling(sgd(), { initial: 2 ** 10 })), clipNorm: 0.01 };
    const half = await trainWatched({ ...scaled, precision: 'float16' });
    expect(half.history[0]!.gradientNorm as number).toBeCloseTo(whole.history[0]!.gradientNorm as number, 2);
  });

  it('refuses micro-batches of a loss that compares within the batch, with the reason', async () => {
    const plain = smallTraining(3);
    const objective = { ...plain.objective, needsWholeBatch: 'its negatives are the other images' };
    await expect(train({ ...plain, objective, microBatches: 2 })).rejects.toThrow(
      /with 2 micro-batches the loss would differ: its negatives are the other images. Use a smaller batch/,
    );
  });

  it('reduces gradients and metrics over replicas', async () => {
    const plain = smallTraining(2, 1, sgd());
    const calls: string[][] = [];
    const mean = (tensors: Tensors) => {
      calls.push(Object.keys(tensors));
      return mapTensors(tensors, (tensor) => tensor.mul(0.5) as Tensor);
    };
    const halved = await trainWatched({ ...plain, replicas: { ...singleReplica, count: 2, mean } });
    expect(calls[0]).toEqual(['conv1.weight', 'fc.weight', 'fc.bias']);
    expect(calls[1]).toEqual(['loss', 'interrupted', 'stepSeconds', 'gradientNorm']);
    const whole = await trainWatched(plain);
    expect(halved.history[0]!.loss).toBeCloseTo((whole.history[0]!.loss as number) / 2, 6);
  });

  it('cuts the log to what the checkpoint knows of it', async () => {
    const folder = freshFolder();
    const lines: string[] = [];
    const cuts: number[] = [];
    const log = {
      sync: async () => lines.length,
      cutTo: async (offset: number) => {
        cuts.push(offset);
        lines.length = offset;
      },
    };
    const onEvent = (event: TrainingEvent) => {
      lines.push(`${event.kind} ${event.step}`);
      if (event.kind === 'step' && event.step === 5 && cuts.length === 1) throw new Error('the machine stopped');
    };
    const options = { ...smallTraining(6), checkpoint: { ...checkpointIn(folder, 2), log }, onEvent };
    await expect(train(options)).rejects.toThrow('the machine stopped');
    expect(lines.slice(-2)).toEqual(['step 5', 'failed 5']);
    await train(options);
    // The first start has no checkpoint: nothing that stood in the log before counts.
    expect(cuts).toEqual([0, 5]);
    expect(lines.filter((line) => line.startsWith('step'))).toEqual([1, 2, 3, 4, 5, 6].map((step) => `step ${step}`));
  });

  it('drops from the log what a run wrote that was killed before its first checkpoint, but not its own events', async () => {
    const folder = freshFolder();
    const path = join(folder, 'events.jsonl');
    const killed = await EventLog.open(path);
    for (const step of [1, 2]) await killed.append({ kind: 'step', step });
    await killed.sync();
    const log = await EventLog.open(path);
    await log.append({ kind: 'opened' });
    const onEvent = (event: TrainingEvent) => log.append({ ...event });
    await train({ ...smallTraining(3), checkpoint: { ...checkpointIn(folder), log }, onEvent });
    await log.sync();
    const logged: string[] = [];
    for await (const { kind, step } of readEvents(path)) logged.push(`${kind} ${step}`);
    expect(logged.filter((event) => /^(opened|step)/.test(event))).toEqual([
      'opened undefined',
      ...[1, 2, 3].map((step) => `step ${step}`),
    ]);
  });

  it('says so when it is interrupted and keeps no checkpoints', async () => {
    const error = await interruptAfter(2, smallTraining(4));
    expect(error).toBeInstanceOf(InterruptedError);
    expect(error.message).toMatch(/after step 2 of 4; it keeps no checkpoints/);
  });

  it('refuses the checkpoint of another run, naming both', async () => {
    const folder = freshFolder();
    await train({ ...smallTraining(1 + 1), checkpoint: checkpointIn(folder) });
    const other = { folder, everySteps: 1, identity: { run: 'another', data: 'mine' } };
    await expect(train({ ...smallTraining(2), checkpoint: other })).rejects.toThrow(
      /step-00000002.safetensors belongs to another run, which differs in run \(this there, another here\); data \(none there, mine here\); delete it/,
    );
  });

  it('stops at a loss that is not a number, and keeps the last good checkpoint', async () => {
    const folder = freshFolder();
    const options = smallTraining(10);
    const before = tf.memory().numTensors;
    const broken = train({
      ...options,
      checkpoint: checkpointIn(folder, 2),
      batch: async (step) => {
        const batch = await options.batch(step);
        if (step !== 4) return batch;
        disposeTensors({ answers: batch.answers! });
        return { ...batch, answers: tf.fill([8], Number.NaN) };
      },
    });
    await expect(broken).rejects.toThrow(/loss is NaN at step 5 of 10 .*last good checkpoint is .*step-00000004/);
    expect(tf.memory().numTensors).toBe(before);
    const kept = await loadLatestCheckpoint(checkpointIn(folder));
    expect(kept!.step).toBe(4);
  });

  it('does not let a checkpoint with broken numbers replace a good one', async () => {
    const folder = freshFolder();
    const options = smallTraining(4);
    const broken = train({
      ...options,
      checkpoint: checkpointIn(folder, 1),
      // The loss of step 3 is still a number; what it leaves is not.
      schedules: { learningRate: (step) => (step === 2 ? Number.POSITIVE_INFINITY : 0.1) },
    });
    await expect(broken).rejects.toThrow(/"parameters\/conv1.weight" holds values that are not finite after step 3/);
    expect(readdirSync(folder)).toEqual(['step-00000002.safetensors']);
  });

  it('keeps as many of the last checkpoints as are asked for', async () => {
    const folder = freshFolder();
    await train({ ...smallTraining(7), checkpoint: { ...checkpointIn(folder, 2), keep: 3 } });
    expect(readdirSync(folder)).toEqual([4, 6, 7].map((step) => `step-0000000${step}.safetensors`));
  });

  it('says what evaluations took, and what the process holds', async () => {
    const { events } = await trainWatched({ ...smallTraining(2), monitors: [scoring([1, 2, 3])] });
    for (const event of events.filter(({ kind }) => kind === 'evaluation')) {
      expect(event).toMatchObject({ seconds: expect.any(Number), memoryGibibytes: expect.any(Number) });
    }
  });

  it('names a checkpoint that is cut short', async () => {
    const folder = freshFolder();
    const checkpoint = checkpointIn(folder);
    await train({ ...smallTraining(2), checkpoint });
    const path = join(folder, 'step-00000002.safetensors');
    const bytes = readFileSync(path);
    writeFileSync(path, bytes.subarray(0, bytes.length - 10));
    await expect(train({ ...smallTraining(2), checkpoint })).rejects.toThrow(
      /step-00000002.safetensors is not a complete/,
    );
  });
});

/** A monitor that finds these scores, one after each step, the first before the first step. */
const scoring = (scores: readonly number[]) => ({
  everySteps: 1,
  run: (_: unknown, step: number) => ({ score: scores[step]! }),
});

describe('the best model of a training', () => {
  const scores = [5, 6, 8, 7, 7, 7, 7, 9, 9];
  const best = { metric: 'score' };
  const scoreKept = async (folder: string) => {
    const { tensors, metadata } = await readSafetensors(join(folder, 'best.safetensors'));
    disposeTensors(tensors);
    return JSON.parse(metadata.best!);
  };

  it('is kept beside the last', async () => {
    const folder = freshFolder();
    const { events } = await trainWatched({
      ...smallTraining(6),
      best,
      checkpoint: checkpointIn(folder),
      monitors: [scoring(scores)],
    });
    expect(events.filter(({ kind }) => kind === 'best').map(({ step }) => step)).toEqual([0, 1, 2]);
    expect(readdirSync(folder)).toEqual(['best.safetensors', 'step-00000006.safetensors']);
    expect(await scoreKept(folder)).toEqual({ step: 2, score: 8 });
    const kept = await readSafetensors(join(folder, 'best.safetensors'));
    const { tensors } = await train(smallTraining(6, 1));
    expect(Object.keys(subTensors(kept.tensors, 'parameters/')).sort()).toEqual(Object.keys(tensors.parameters).sort());
  });

  it('may be the lowest', async () => {
    const folder = freshFolder();
    const lowest = { ...best, lowest: true };
    await train({
      ...smallTraining(4),
      best: lowest,
      checkpoint: checkpointIn(folder),
      monitors: [scoring([3, 2, 4, 1, 5])],
    });
    expect(await scoreKept(folder)).toEqual({ step: 3, score: 1 });
  });

  it('ends the training where none follows for so many steps, and a stopped one goes no further', async () => {
    const folder = freshFolder();
    const options = {
      ...{ ...smallTraining(8), best: { ...best, patience: 3 }, monitors: [scoring(scores)] },
      checkpoint: checkpointIn(folder),
    };
    const { events, steps } = await trainWatched(options);
    expect(steps).toBe(5);
    expect(events.slice(-3)).toMatchObject([
      { kind: 'stopped early', step: 5, bestStep: 2 },
      { kind: 'checkpoint', step: 5 },
      { kind: 'finished', step: 5 },
    ]);
    const again = await trainWatched(options);
    expect(again.events.map(({ kind }) => kind)).toEqual(['resumed', 'finished']);
    expect(again.steps).toBe(5);
  });

  it('is as long waited for after an interrupt', async () => {
    const options = {
      ...{ ...smallTraining(8), best: { ...best, patience: 3 }, monitors: [scoring(scores)] },
      checkpoint: checkpointIn(freshFolder()),
    };
    await interruptAfter(4, options);
    const { steps, tensors } = await train(options);
    expect(steps).toBe(5);
    const whole = await train({ ...options, checkpoint: undefined });
    const valuesOf = (parameters: Tensors) =>
      Object.entries(parameters).map(([name, tensor]) => [name, [...tensor.dataSync()]]);
    expect(valuesOf(tensors.parameters)).toEqual(valuesOf(whole.tensors.parameters));
  });
});

describe('the best model of a training that is killed', () => {
  it('is that of the undisturbed run, and so are the events: what came after the checkpoint is found again', async () => {
    const scores = [5, 6, 7, 8, 9, 8, 8];
    const options = (folder: string) => ({
      ...{ ...smallTraining(6), best: { metric: 'score' }, monitors: [scoring(scores)] },
      checkpoint: checkpointIn(folder, 2),
    });
    const bestSteps = (events: readonly TrainingEvent[]) =>
      events.flatMap((event) => (event.kind === 'best' ? [event.step] : []));
    const folder = freshFolder();
    const killed: TrainingEvent[] = [];
    const onEvent = (event: TrainingEvent) => {
      killed.push(event);
      // The fourth model was kept as the best; the checkpoint is of the step before last.
      if (event.kind === 'best' && event.step === 3) throw new Error('killed');
    };
    await expect(train({ ...options(folder), onEvent })).rejects.toThrow('killed');
    const { events } = await trainWatched(options(folder));
    expect(events[0]).toMatchObject({ kind: 'resumed', step: 2 });
    expect(bestSteps(events)).toEqual([3, 4]);
  });

  it('is never one without a score, and a training in which all are so says it where it stops', async () => {
    const options = (scores: number[], changes: object = {}) => ({
      ...{ ...smallTraining(6), best: { metric: 'score', ...changes }, monitors: [scoring(scores)] },
      checkpoint: checkpointIn(freshFolder()),
    });
    const none = Number.NaN;
    const late = await train(options([none, none, 3, none, 5, none, 4]));
    expect(late.best).toEqual({ step: 4, score: 5 });
    const lowest = await train(options([none, 3, none, none, 1, 2, none], { lowest: true }));
    expect(lowest.best).toEqual({ step: 4, score: 1 });
    const all = new Array<number>(7).fill(none);
    const broken = options(all, { restore: true });
    const wrong = /no model is the best after 6 of 6 steps: score was NaN in every evaluation/;
    await expect(train(broken)).rejects.toThrow(wrong);
    await expect(train(broken)).rejects.toThrow(wrong);
    await expect(train(options(all, { patience: 3 }))).rejects.toThrow(/after 3 of 6 steps: score was NaN/);
  });

  it('needs a monitor that finds its metric', async () => {
    const wrong = (changes: Partial<TrainOptions>) => train({ ...smallTraining(2), ...changes });
    await expect(wrong({ best: { metric: 'scroe', patience: 1 }, monitors: [scoring([1, 2, 3])] })).rejects.toThrow(
      /selected by scroe, which no monitor measures; they measure score/,
    );
    await expect(wrong({ best: { metric: 'score' } })).rejects.toThrow(
      /a monitor selects the best model, and there is none/,
    );
  });
});

describe('a training that breaks', () => {
  /** Breaks at the fifth step, by what it does to the loss and to what it is of. */
  const breaking = (
    breakIt: (loss: Tensor, parameters: Tensors, isBroken: Tensor) => { loss: Tensor; statistic?: Tensor },
  ): TrainOptions => {
    const options = smallTraining(8);
    const { objective, batch } = options;
    return {
      ...options,
      batch: async (step) => ({ ...(await batch(step)), broken: tf.fill([8], step === 4 ? 1 : 0) }),
      objective: {
        ...objective,
        initialize: (key) => {
          const { parameters, state } = objective.initialize(key);
          return { parameters, state: { ...state, 'bn1.running_mean': tf.scalar(0) } };
        },
        loss(model, { broken, ...others }, context) {
          const { loss, state } = objective.loss(model, others, context);
          const { loss: changed, statistic } = breakIt(loss, model.parameters, broken!.max() as Tensor);
          return {
            loss: changed,
            state: { ...state, 'bn1.running_mean': statistic ?? model.state['bn1.running_mean']! },
          };
        },
      },
    };
  };
  // 0 where nothing is broken, and no number at the fifth step.
  const nothing = (isBroken: Tensor) => isBroken.div(tf.sub(1, isBroken)).mul(0) as Tensor;

  it.each<[string, RegExp, Parameters<typeof breaking>[0]]>([
    [
      'in the forward pass, by the statistics that it left',
      /loss is NaN at step 5 of 8 .*began in the forward pass, which left "bn1.running_mean" so/,
      (loss, _, isBroken) => ({ loss: loss.add(nothing(isBroken)), statistic: nothing(isBroken) }),
    ],
    [
      'in the loss alone',
      /loss is NaN at step 5 of 8 .*began in the loss: the weights before the step, and the running statistics that it left, are finite/,
      (loss, _, isBroken) => ({ loss: tf.where(isBroken.greater(0), tf.scalar(Number.NaN), loss.mul(1)) as Tensor }),
    ],
    [
      'in a gradient',
      /gradients' norm is not finite at step 5 of 8 .*began in the gradient of "fc.weight"/,
      // The slope of a square root at 0 is not finite, and its value is.
      (loss, parameters, isBroken) => ({
        loss: loss.add(parameters['fc.weight']!.square().sum().mul(tf.sub(1, isBroken)).sqrt().mul(1e-9)),
      }),
    ],
  ])('says where it began: %s', async (_, message, breakIt) => {
    const folder = freshFolder();
    await expect(train({ ...breaking(breakIt), checkpoint: checkpointIn(folder, 2) })).rejects.toThrow(message);
    expect((await loadLatestCheckpoint(checkpointIn(folder)))!.step).toBe(4);
  });

  it('says where it began: in the weights, as the step before left them', async () => {
    const options = smallTraining(4);
    const broken = train({
      ...options,
      schedules: { learningRate: (step) => (step === 1 ? Number.POSITIVE_INFINITY : 0.1) },
    });
    await expect(broken).rejects.toThrow(
      /loss is NaN at step 3 of 4 .*began in the weights "conv1.weight", as the step before left them\. There is no checkpoint/,
    );
  });
});

describe('a training process that is killed', () => {
  const program = freshFolder();

  beforeAll(async () => {
    // The sources and the small training, compiled apart, so that the child is a plain Node process.
    mkdirSync(join(program, 'test', 'training'), { recursive: true });
    cpSync(join(projectRoot, 'src'), join(program, 'src'), { recursive: true });
    cpSync(
      join(projectRoot, 'test', 'training', 'small-training.ts'),
      join(program, 'test', 'training', 'small-training.ts'),
    );
    cpSync(join(projectRoot, 'package.json'), join(program, 'package.json'));
    symlinkSync(join(projectRoot, 'node_modules'), join(program, 'node_modules'));
    const config = JSON.parse(readFileSync(join(projectRoot, 'tsconfig.json'), 'utf8')) as {
      compilerOptions: Record<string, unknown>;
    };
    Object.assign(config.compilerOptions, { rootDir: '.', outDir: 'dist', declaration: false });
    writeFileSync(join(program, 'tsconfig.json'), JSON.stringify({ ...config, include: ['test'] }));
    writeFileSync(
      join(program, 'train.mjs'),
      `import { train } from './dist/src/training/index.js';
       import { smallTraining } from './dist/test/training/small-training.js';
       const [, , folder, last] = process.argv;
       const checkpoint = { folder, identity: { run: 'this' }, everySteps: 2 };
       await train({ ...smallTraining(12), checkpoint, onEvent: async (e) => {
         console.log(e.kind, e.step);
         // Waits for the killer, so that a busy machine cannot finish first.
         if (\`\${e.kind} \${e.step}\` === last) await new Promise((resolve) => setTimeout(resolve, 30_000));
       } });`,
    );
    const compile = spawn('npx', ['--no-install', 'tsc', '-p', 'tsconfig.json'], { cwd: program, stdio: 'inherit' });
    expect((await once(compile, 'exit'))[0]).toBe(0);
  }, 60_000);

  it('goes on to the same bits, wherever it was killed', async () => {
    const whole = await train(smallTraining(12));
    const folder = freshFolder();
    const child = (last = '') =>
      spawn(process.execPath, ['train.mjs', folder, last], { cwd: program, stdio: ['ignore', 'pipe', 'ignore'] });
    for (const last of ['step 3', 'checkpoint 6', 'step 10']) {
      const victim = child(last);
      for await (const line of createInterface(victim.stdout)) if (line === last) victim.kill('SIGKILL');
      if (victim.exitCode === null && victim.signalCode === null) await once(victim, 'exit');
      expect(victim.signalCode).toBe('SIGKILL');
    }
    const survivor = child();
    const lines: string[] = [];
    for await (const line of createInterface(survivor.stdout)) lines.push(line);
    expect(lines[0]).toBe('resumed 8');
    expect(lines.at(-1)).toBe('finished 12');
    const kept = await loadLatestCheckpoint(checkpointIn(folder));
    expect(contents(kept!.tensors)).toEqual(contents(whole.tensors));
  }, 60_000);
});

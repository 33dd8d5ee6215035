import { setImmediate } from 'node:timers/promises';
import {
  type Compiled,
  ConvolutionForms,
  compile,
  disposeTensors,
  measureConvolutionForms,
  type Precision,
  type Tensor,
  type Tensors,
  tf,
} from '../engine/index.js';
import { InterruptedError, type Key } from '../runs/index.js';
import { batchesAhead } from './batches-ahead.js';
import {
  type CheckpointFolder,
  type HistoryEntry,
  loadLatestCheckpoint,
  saveCheckpoint,
  type TrainingTensors,
} from './checkpoint.js';
import { hasLossScale } from './loss-scaling.js';
import type { Schedule } from './schedules.js';

/**
 * One update as a pure function, which `train` compiles: the same tensors in give the same tensors out, and it reads
 * no value on the host. Among the metrics, all scalars, is `loss`. `random` is a key of this step alone, for dropout and
 * its like.
 */
export type Step = (
  tensors: TrainingTensors,
  batch: Tensors,
  learningRate: Tensor,
  random: Key,
) => { tensors: TrainingTensors; metrics: Tensors };

/** What a training reports while it runs. `step` counts finished steps. */
export type TrainingEvent =
  | {
      kind: 'step';
      step: number;
      steps: number;
      loss: number;
      learningRate: number;
      imagesPerSecond: number;
      [metric: string]: number | string;
    }
  | { kind: 'evaluation'; step: number; [metric: string]: number | string }
  | { kind: 'checkpoint'; step: number; path: string }
  | { kind: 'resumed'; step: number; path: string }
  /** The weight gradients of convolutions are timed before the first step; `done` of `total` are. See `ConvolutionForms`. */
  | { kind: 'measuring convolutions'; step: number; done: number; total: number }
  | { kind: 'interrupted'; step: number; path: string | undefined }
  | { kind: 'finished'; step: number };

export interface TrainOptions {
  step: Step;
  /** Makes the tensors to start from; not called when a checkpoint is there. */
  initialize: () => TrainingTensors;
  /**
   * Makes the batch of a step, counted from 0; it must depend on that number alone. It is called while the step before
   * runs, and the loop disposes of the batch.
   */
  batch: (step: number) => Tensors | Promise<Tensors>;
  steps: number;
  learningRate: Schedule;
  /** What the steps draw from: each gets this key folded with its number, so that a resumed run draws the same. */
  random: Key;
  /** What the step's costly ops compute in; float32 by default. float16 takes an optimizer with `dynamicLossScaling`. */
  precision?: Precision;
  /**
   * How the weight gradients of convolutions are computed: what these do not know is measured before the first step and
   * added. Without them nothing is measured. A run that goes on from a checkpoint takes the checkpoint's.
   */
  convolutionForms?: ConvolutionForms;
  imagesPerStep: number;
  checkpoint?: CheckpointFolder & { everySteps: number };
  /** Called before the first step, after every `everySteps` and after the last. Must leave the tensors alone. */
  evaluate?: {
    everySteps: number;
    run: (tensors: TrainingTensors, step: number) => Record<string, number> | Promise<Record<string, number>>;
  };
  onEvent?: (event: TrainingEvent) => void | Promise<void>;
  signal?: AbortSignal;
}

export interface TrainingResult {
  /** The caller's to dispose of. */
  tensors: TrainingTensors;
  /** Every step and evaluation since the very first, also those before an interruption. */
  history: HistoryEntry[];
  /** The form of each convolution's weight gradient, if they were given: part of the run's provenance. */
  convolutionForms?: Record<string, string>;
}

/**
 * Runs a step again and again, compiled, from the last checkpoint where there is one. The event loop stays free. A run
 * that was interrupted or killed and started again ends with the same bits as one that was not.
 *
 * @throws InterruptedError after writing a checkpoint, if `signal` aborts
 * @throws Error if the loss is not finite, naming the step and the last good checkpoint, or if precision is float16 and
 *   the optimizer scales no loss
 */
export async function train(options: TrainOptions): Promise<TrainingResult> {
  const { steps, checkpoint, evaluate, signal } = options;
  const emit = async (event: TrainingEvent) => options.onEvent?.(event);

  const resumed = checkpoint && (await loadLatestCheckpoint(checkpoint));
  let tensors = resumed?.tensors ?? options.initialize();
  let done = resumed?.step ?? 0;
  let lastCheckpoint = resumed?.path;
  let savedStep = resumed?.step;
  const history: HistoryEntry[] = resumed?.history ?? [];

  // Before the first step nothing depends on a form yet.
  const forms =
    done > 0 ? resumed?.convolutionForms && new ConvolutionForms(resumed.convolutionForms) : options.convolutionForms;
  let used: Record<string, string> | undefined = resumed?.convolutionForms;

  const save = async () => {
    if (!checkpoint) return;
    lastCheckpoint = await saveCheckpoint(checkpoint, { tensors, step: done, history, convolutionForms: used });
    savedStep = done;
    await emit({ kind: 'checkpoint', step: done, path: lastCheckpoint });
  };
  const runEvaluation = async () => {
    if (!evaluate) return;
    const entry: HistoryEntry = { kind: 'evaluation', step: done, ...(await evaluate.run(tensors, done)) };
    history.push(entry);
    await emit(entry as TrainingEvent);
  };

  const { precision } = options;
  const step = compile(options.step, {
    name: 'the training step',
    precision,
    convolutionForms: forms,
    donate: [0],
  });
  const measureForms = async (batch: Tensors) => {
    const rate = tf.scalar(0);
    try {
      const inputs: Parameters<Step> = [tensors, batch, rate, options.random];
      const { measured, table } = await measureConvolutionForms(options.step, inputs, {
        forms: forms!,
        precision,
        onProgress: (measured, total) => emit({ kind: 'measuring convolutions', step: done, done: measured, total }),
      });
      used = table;
      if (measured > 0) await forms!.save();
    } catch (error) {
      disposeTensors(batch);
      throw error;
    } finally {
      rate.dispose();
    }
  };
  const batches = batchesAhead(options.batch);
  try {
    if (options.precision === 'float16' && !hasLossScale(tensors.optimizer)) {
      throw new Error(
        'training in float16 needs loss scaling, or gradients below 6e-8 are lost: make the optimizer with ' +
          'dynamicLossScaling(…), and give its lossScale(tensors.optimizer) to gradients(…, { lossScale }). ' +
          'bfloat16 needs neither.',
      );
    }
    if (resumed) await emit({ kind: 'resumed', step: done, path: resumed.path });
    else await runEvaluation();

    while (done < steps) {
      await setImmediate();
      if (signal?.aborted) {
        if (savedStep !== done) await save();
        await emit({ kind: 'interrupted', step: done, path: lastCheckpoint });
        throw new InterruptedError(
          `training was interrupted after step ${done} of ${steps}; ` +
            (lastCheckpoint === undefined
              ? 'it keeps no checkpoints, so nothing is saved'
              : `the checkpoint is ${lastCheckpoint}, and running it again goes on from there`),
        );
      }
      const began = performance.now();
      const learningRate = options.learningRate(done);
      const batch = await batches.take(done);
      if (forms && !used) await measureForms(batch);
      const running = runStep(step, tensors, batch, learningRate, options.random.fold(done));
      if (done + 1 < steps) batches.begin(done + 1);
      const { next, metrics } = await running;
      tensors = next;
      done += 1;
      if (!Number.isFinite(metrics.loss)) {
        throw new Error(
          `the loss is ${metrics.loss} at step ${done} of ${steps} (learning rate ${learningRate}); ` +
            `${lastCheckpoint ? `the last good checkpoint is ${lastCheckpoint}` : 'there is no checkpoint before it'}. ` +
            'A lower learning rate or a longer warm-up usually helps.',
        );
      }
      const entry: HistoryEntry = { kind: 'step', step: done, learningRate, ...metrics };
      history.push(entry);
      const imagesPerSecond = (1000 * options.imagesPerStep) / (performance.now() - began);
      await emit({ ...entry, steps, imagesPerSecond } as TrainingEvent);

      if (evaluate && (done % evaluate.everySteps === 0 || done === steps)) await runEvaluation();
      if (checkpoint && (done % checkpoint.everySteps === 0 || done === steps)) await save();
    }
    await emit({ kind: 'finished', step: done });
    return { tensors, history, convolutionForms: used };
  } catch (error) {
    disposeTensors(tensors.parameters, tensors.state, tensors.optimizer);
    throw error;
  } finally {
    await batches.dispose();
    step.dispose();
  }
}

/** Takes over `tensors` and `batch`. */
async function runStep(
  step: Compiled<Parameters<Step>, ReturnType<Step>>,
  tensors: TrainingTensors,
  batch: Tensors,
  learningRate: number,
  random: Key,
): Promise<{ next: TrainingTensors; metrics: Record<string, number> & { loss: number } }> {
  const rate = tf.scalar(learningRate);
  try {
    const output = await step(tensors, batch, rate, random);
    const values = Object.entries(output.metrics).map(([name, tensor]) => [name, tensor.dataSync()[0]!] as const);
    disposeTensors(output.metrics);
    const { loss, ...others } = Object.fromEntries(values);
    if (loss === undefined) throw new Error('the step gives no metric named "loss"');
    return { next: output.tensors, metrics: { loss, ...others } };
  } finally {
    disposeTensors(batch, { rate });
  }
}

import { setImmediate } from 'node:timers/promises';
import { InterruptedError } from '../base/index.js';
import { autotuneConvolutions, ConvAlgorithms, disposeTensors, type Tensors, tf } from '../engine/index.js';
import { loadBestCheckpoint, loadLatestCheckpoint, saveCheckpoint } from './checkpoint.js';
import { DivergenceWatch } from './divergence.js';
import { energyMeter } from './energy-meter.js';
import { ExchangeMeter } from './exchange-meter.js';
import { describeLayer } from './find-layer.js';
import { initialTensors } from './initial-tensors.js';
import { dynamicLossScaling } from './loss-scaling.js';
import { describeFirstNonFinite } from './not-finite.js';
import type { Scheduled } from './objective.js';
import { prefetch } from './prefetch.js';
import { singleReplica, withoutExchange } from './replicas.js';
import { runMonitors, sayLastGood, type TrainingMonitor } from './run-monitors.js';
import type { Schedule } from './schedules.js';
import type { TrainingResult, TrainOptions } from './train-options.js';
import type { TrainingEvent } from './training-event.js';
import { compiledStep, type Step, trainingStep } from './training-step.js';

/**
 * Trains: runs the compiled step of an objective, from the last checkpoint if there is one. The event loop stays free.
 * An interrupted or killed run that is resumed ends with the same bits as an uninterrupted one. The history is in the
 * run's events only.
 *
 * Replicas call it alike, with a checkpoint folder that all can read. The first one evaluates, tells of events and writes
 * checkpoints; an interrupt of one stops all, after the same step.
 *
 * @throws InterruptedError after writing a checkpoint, if `signal` aborts or a monitor is interrupted, which then runs first
 *   when the training goes on
 * @throws RangeError for a `best` that no monitor measures
 * @throws Error if the loss or a gradient is not finite (a scaled one: at a scale of 1), naming the step, where it began and
 *   the last good checkpoint; if the training has diverged otherwise (see `DivergenceWatch`); if
 *   an evaluation finds weights that are not finite, or fails, naming the step and the checkpoint too; if
 *   precision is float16 and the optimizer scales no loss; or, at the end, if the metric of `best` was NaN all along
 */
export async function train<Name extends string = never>(options: TrainOptions<Name>): Promise<TrainingResult> {
  const { objective, optimizer, steps, checkpoint, monitors = [], best, precision, signal } = options;
  const { replicas = singleReplica } = options;
  const leads = replicas.index === 0;
  if (replicas.count > 1 && options.convAlgorithms) {
    throw new RangeError('replicas would measure convolutions apart, and differ: train them without convAlgorithms');
  }
  if (precision === 'float16' && !('lossScale' in optimizer)) {
    throw new Error(
      `training in float16 needs loss scaling, or gradients below 6e-8 are lost: create the optimizer with ` +
        `${dynamicLossScaling.name}(...). bfloat16 does not need it.`,
    );
  }
  if (best?.restore && !checkpoint)
    throw new RangeError('the best model is restored from its checkpoint: keep checkpoints');
  if (best && monitors.length === 0) throw new RangeError('a monitor selects the best model, and there is none');
  const stepFunction = trainingStep(objective, optimizer, options);
  const emit = async (event: TrainingEvent) => (leads ? options.onEvent?.(event) : undefined);

  const resumed = checkpoint && (await loadLatestCheckpoint(checkpoint));
  // Without a checkpoint, what a killed run logged before its first one is void.
  const logOffset = resumed ? resumed.logOffset : 0;
  if (leads && logOffset !== undefined) await checkpoint?.log?.cutTo(logOffset);
  let tensors = resumed?.tensors ?? initialTensors(objective, optimizer, options.key);
  let done = resumed?.step ?? 0;
  let lastCheckpoint = resumed?.path;
  let savedStep = resumed?.step;

  // Before the first step nothing depends on an algorithm yet.
  const forms =
    done > 0 ? resumed?.convAlgorithms && new ConvAlgorithms(resumed.convAlgorithms) : options.convAlgorithms;
  let used: Record<string, string> | undefined = resumed?.convAlgorithms;

  let bestSoFar = resumed?.best;
  const isDue = ({ everySteps }: TrainingMonitor) => done % everySteps === 0 || done === steps;
  const hasStopped = () =>
    best?.patience !== undefined && done - (bestSoFar?.step ?? 0) >= best.patience && monitors.some(isDue);

  /** @param unevaluated whether the monitors that are due have still to run */
  const save = async (unevaluated = false) => {
    if (!checkpoint) return;
    savedStep = await replicas.first(async () => {
      const logOffset = await checkpoint.log?.sync();
      lastCheckpoint = await saveCheckpoint(checkpoint, {
        ...{ tensors, step: done, logOffset, convAlgorithms: used, best: bestSoFar, unevaluated },
      });
      await emit({ kind: 'checkpoint', step: done, path: lastCheckpoint });
      return done;
    });
  };
  /** Ends the training where it is. */
  const stop = async (unevaluated = false): Promise<never> => {
    if (savedStep !== done) await save(unevaluated);
    await emit({ kind: 'interrupted', step: done, path: lastCheckpoint });
    throw new InterruptedError(
      `training was interrupted after step ${done} of ${steps}; ` +
        (lastCheckpoint === undefined
          ? 'it keeps no checkpoints, so nothing is saved'
          : `the checkpoint is ${lastCheckpoint}; run it again to continue from there`),
    );
  };
  const evaluateIfDue = async () => {
    const due = monitors.filter(isDue);
    if (due.length === 0) return;
    const [none, interrupted] = [-1, -2];
    const told = await replicas.first(async () => ((await evaluate(due)) ? (bestSoFar?.step ?? none) : interrupted));
    if (told === interrupted) await stop(true);
    // Only the first one knows the score, and needs it.
    if (!leads && told !== none) bestSoFar = { step: told, score: Number.NaN };
  };
  /** @returns false if it was interrupted */
  const evaluate = async (due: readonly TrainingMonitor[]): Promise<boolean> => {
    const began = performance.now();
    const found = await runMonitors(due, tensors, { step: done, steps, lastCheckpoint });
    if (!found) return false;
    const score = best && found[best.metric];
    // Before the first step all of them are due.
    if (best && score === undefined && done === 0) {
      throw new RangeError(
        `the best model is selected by ${best.metric}, which no monitor measures; they measure ${Object.keys(found).join(', ')}`,
      );
    }
    const isBetter =
      score !== undefined &&
      !Number.isNaN(score) &&
      (!bestSoFar || (best!.lowest ? score < bestSoFar.score : score > bestSoFar.score));
    if (isBetter) {
      bestSoFar = { step: done, score };
      if (checkpoint) {
        await saveCheckpoint(checkpoint, { tensors, step: done, convAlgorithms: used, best: bestSoFar }, 'best');
      }
    }
    const seconds = (performance.now() - began) / 1000;
    const memoryGibibytes = process.memoryUsage.rss() / 2 ** 30;
    await emit({
      kind: 'evaluation',
      step: done,
      ...found,
      seconds,
      memoryGibibytes,
      ...(energy && { joules: energy() }),
    });
    if (isBetter) await emit({ kind: 'best', step: done, score });
    return true;
  };
  /** What follows a step. */
  const evaluateAndSave = async () => {
    await evaluateIfDue();
    if (bestSoFar && hasStopped()) await emit({ kind: 'stopped early', step: done, bestStep: bestSoFar.step });
    const isTime = checkpoint && done % checkpoint.everySteps === 0 && !divergence.isHigh;
    if (isTime || done === steps || hasStopped()) await save();
  };
  const schedules = { ...objective.schedules, ...options.schedules } as Record<string, Schedule>;
  const valuesAt = (step: number) => mapValues(schedules, (schedule) => schedule(step)) as { learningRate: number };
  const scalarsOf = (values: Record<string, number>) =>
    mapValues(values, (value) => tf.scalar(value)) as unknown as Scheduled<Name>;
  const scheduledAt = (step: number) => scalarsOf(valuesAt(step));
  const step = options.compiled ?? compiledStep(stepFunction, { precision, convAlgorithms: forms });
  const measureForms = async (batch: Tensors, scheduled: Scheduled<Name>) => {
    const inputs: Parameters<Step<Name>> = [tensors, batch, scheduled, options.key];
    const { measured, table } = await autotuneConvolutions(stepFunction, inputs, {
      forms: forms!,
      precision,
      onProgress: (measured, total) => emit({ kind: 'measuring convolutions', step: done, done: measured, total }),
    });
    used = table;
    if (measured > 0) await forms!.save();
  };
  const alone = { ...options, replicas: withoutExchange(replicas) };
  const meter =
    replicas.count > 1
      ? new ExchangeMeter(replicas, trainingStep(objective, optimizer, alone), { precision })
      : undefined;
  const batches = prefetch(options.batch);
  const energy = energyMeter();
  const divergence = new DivergenceWatch(options.chanceLoss);
  let interrupted = false;
  try {
    if (resumed) await emit({ kind: 'resumed', step: done, path: resumed.path });
    if (done === 0 && (!resumed || resumed.unevaluated)) await evaluateIfDue();
    else if (resumed?.unevaluated) await evaluateAndSave();

    while (done < steps && !hasStopped()) {
      await setImmediate();
      if (replicas.count > 1 ? interrupted : signal?.aborted) await stop();
      const began = performance.now();
      const values = valuesAt(done);
      const batch = await batches.take(done);
      // Replicas stop at the same step: the one after which one of them was asked to.
      const told = meter ? { ...values, interrupted: signal?.aborted ? 1 : 0, stepSeconds: meter.lately } : values;
      const scheduled = scalarsOf(told);
      let metrics: Record<string, number>;
      let squares: { parameters: Float32Array; gradients: Float32Array } | undefined;
      try {
        if (forms && !used) await measureForms(batch, scheduled);
        await meter?.begin([tensors, batch, scheduled, options.key]);
        const stepBegan = performance.now();
        const running = step(tensors, batch, scheduled, options.key.fold('steps').fold(done));
        if (done + 1 < steps) batches.begin(done + 1);
        const output = await running;
        tensors = output.tensors;
        metrics = mapValues(output.metrics, (metric) => metric.dataSync()[0]!);
        meter?.add((performance.now() - stepBegan) / 1000);
        // While a loss is scaled, gradients that are too large for float16 only lower the scale; at 1 it stays.
        const { gradientNorm, lossScale = 1 } = metrics;
        if (!Number.isFinite(metrics.loss!) || !(Number.isFinite(gradientNorm!) || lossScale > 1)) {
          const { parameters, gradients } = output.squares;
          squares = { parameters: parameters.dataSync<'float32'>(), gradients: gradients.dataSync<'float32'>() };
        }
        disposeTensors(output.metrics, output.squares);
      } finally {
        disposeTensors(batch, scheduled as unknown as Tensors);
      }
      done += 1;
      const { interrupted: asked = 0, stepSeconds = 0, ...others } = metrics;
      const loss = metrics.loss!;
      interrupted = asked > 0;
      divergence.add(loss);
      if (divergence.reason !== undefined) {
        throw new Error(
          `${divergence.reason}. It ends at step ${done} of ${steps} (learning rate ${values.learningRate}). ${sayLastGood(lastCheckpoint)}. ` +
            'A lower learning rate or longer warm-up usually helps.',
        );
      }
      if (squares) {
        const known = describeFirstNonFinite({
          names: Object.keys(tensors.parameters),
          parameterSquares: squares.parameters,
          gradientSquares: squares.gradients,
          lossIsFinite: Number.isFinite(loss),
          state: tensors.state,
        });
        const began = known ?? (await describeLayer(options, { number: done - 1, step, scheduledAt }));
        const what = Number.isFinite(loss) ? "the gradients' norm is not finite" : `the loss is ${loss}`;
        throw new Error(
          `${what} at step ${done} of ${steps} (learning rate ${values.learningRate}); it began in ${began}. ` +
            `${sayLastGood(lastCheckpoint)}. ` +
            'A lower learning rate or longer warm-up usually helps.',
        );
      }
      const imagesPerSecond = (1000 * options.imagesPerStep) / (performance.now() - began);
      const joules = energy && { joules: energy() };
      const shared = meter && { processes: replicas.count, ...meter.report(done, stepSeconds) };
      await emit({
        kind: 'step',
        step: done,
        steps,
        ...values,
        ...others,
        loss,
        imagesPerSecond,
        ...joules,
        ...shared,
      });

      await evaluateAndSave();
    }
    if (best && !bestSoFar) {
      throw new Error(
        `no model is the best after ${done} of ${steps} steps: ${best.metric} was NaN in every evaluation. Mend its monitor, or ` +
          'train without selecting by it',
      );
    }
    if (best?.restore) {
      disposeTensors(tensors.parameters, tensors.state, tensors.optimizer);
      tensors = (await loadBestCheckpoint(checkpoint!)).tensors;
    }
    await emit({ kind: 'finished', step: done });
    return { tensors, steps: done, best: bestSoFar, convAlgorithms: used };
  } catch (error) {
    disposeTensors(tensors.parameters, tensors.state, tensors.optimizer);
    if (!(error instanceof InterruptedError)) {
      const { message } = error as Error;
      // A failure to report does not replace the error itself.
      await emit({ kind: 'failed', step: done, message }).catch(() => {});
    }
    throw error;
  } finally {
    await batches.dispose();
    if (step !== options.compiled) step.dispose();
  }
}

function mapValues<Value, Result>(
  record: Readonly<Record<string, Value>>,
  make: (value: Value) => Result,
): Record<string, Result> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, make(value)]));
}

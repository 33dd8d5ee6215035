import { throwIfInterrupted } from '../base/index.js';
import { disposeTensors, mapTensors, type Tensor, type Tensors, tf, withPrefix, withProbe } from '../engine/index.js';
import { loadLatestCheckpoint } from './checkpoint.js';
import { initialTensors } from './initial-tensors.js';
import type { Objective, Scheduled } from './objective.js';
import type { TrainOptions } from './train-options.js';
import { type CompiledStep, compiledStep, trainingStep } from './training-step.js';

/** A step whose loss was not finite. */
export interface Sought<Name extends string> {
  /** Its number, counted from 0. */
  number: number;
  /** What it and those before it were run with. */
  step: CompiledStep<Name>;
  /** What the schedules say of a step, scalars that are disposed of. */
  scheduledAt(number: number): Scheduled<Name>;
}

/** Whether a forward pass was finite there, among the metrics of a step: 1 or 0. */
const prefix = 'finite/';

/** Where a loss that is not finite began, in words: the weights before the step were finite. See `findLayer`. */
export async function describeLayer<Name extends string>(
  options: TrainOptions<Name>,
  sought: Sought<Name>,
): Promise<string> {
  const loss = 'the loss: the weights before the step, and the running statistics that it left, are finite';
  if ((options.replicas?.count ?? 1) > 1) return `${loss}. Several processes do not look at their layers`;
  try {
    return (await findLayer(options, sought)) ?? `${loss}, and so are the outputs of the layers that have a name`;
  } catch (error) {
    return `${loss}. The layer is not known, for looking for it failed: ${(error as Error).message}`;
  }
}

/**
 * Finds the layer in whose output a forward pass stopped being finite: takes the steps since the last checkpoint, or since
 * the first one, again, which gives the same weights, and then the step with a look at the outputs of its layers (see
 * `probed`). It takes the time of those steps, and memory for a second model.
 *
 * @returns what came first, in words: a tensor of the batch, or the output of a layer; undefined for the loss itself
 * @throws InterruptedError if the signal of the options aborts; Error if the step is finite when it is taken again
 */
async function findLayer<Name extends string>(
  options: TrainOptions<Name>,
  { number: last, step, scheduledAt }: Sought<Name>,
): Promise<string | undefined> {
  const { objective, optimizer, checkpoint, precision, key, signal } = options;
  const resumed = checkpoint && (await loadLatestCheckpoint(checkpoint));
  const first = resumed?.step ?? 0;
  await options.onEvent?.({ kind: 'looking back', step: last + 1, from: first });
  const watching = compiledStep(trainingStep(watched(objective), optimizer, options), { precision });
  let tensors = resumed?.tensors ?? initialTensors(objective, optimizer, key);
  let metrics: Tensors = {};
  try {
    for (let number = first; number <= last; number++) {
      throwIfInterrupted(signal, `looking for the layer, at step ${number + 1} of ${last + 1},`);
      const batch = await options.batch(number);
      const scheduled = scheduledAt(number);
      const run = number < last ? step : watching;
      disposeTensors(metrics);
      const output = await run(tensors, batch, scheduled, key.fold('steps').fold(number)).finally(() =>
        disposeTensors(batch, scheduled as unknown as Tensors),
      );
      disposeTensors(output.squares);
      ({ tensors, metrics } = output);
    }
    const values = Object.entries(metrics).map(([name, metric]) => [name, metric.dataSync()[0]!] as const);
    const broken = values.find(([name, value]) => name.startsWith(prefix) && value < 1);
    if (broken) return broken[0].slice(prefix.length);
    if (Number.isFinite(metrics.loss!.dataSync()[0])) throw new Error('taken again, the step is finite');
    return undefined;
  } finally {
    watching.dispose();
    disposeTensors(tensors.parameters, tensors.state, tensors.optimizer, metrics);
  }
}

/** The objective with a look at what goes into it and what its layers make. */
function watched<Name extends string>(objective: Objective<Name>): Objective<Name> {
  return {
    ...objective,
    loss(model, batch, context) {
      const seen: Tensors = {};
      const look = (name: string, tensor: Tensor) => {
        let own = name;
        for (let pass = 2; own in seen; pass++) own = `${name}, pass ${pass}`;
        // Layers tidy up behind them.
        seen[own] = tf.keep(tf.tidy(() => tf.isFinite(tensor).all().toFloat() as Tensor));
      };
      for (const [name, tensor] of Object.entries(batch)) {
        if (tensor.dtype === 'float32') look(`the batch's "${name}"`, tensor);
      }
      const found = withProbe(
        (name, output) => look(`the output of "${name}"`, output),
        () => objective.loss(model, batch, context),
      );
      const metrics = mapTensors(seen, (flag) => flag.clone());
      disposeTensors(seen);
      return { ...found, metrics: { ...found.metrics, ...withPrefix(metrics, prefix) } };
    },
  };
}

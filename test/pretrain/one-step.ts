import { key } from '../../src/base/index.js';
import { disposeTensors, randomNormal, type Tensor, type Tensors, tf } from '../../src/engine/index.js';
import type { Method } from '../../src/pretrain/index.js';
import {
  freezing,
  type Objective,
  type Optimizer,
  type Scheduled,
  type StepOptions,
  sgd,
  type TrainingTensors,
  trainingStep,
} from '../../src/training/index.js';

/** Takes steps of a method on views that a test gives, without data, one after the other. */
export function stepper<Name extends string>(
  method: Method<Name>,
  {
    optimizer: plain = sgd(),
    ...options
  }: StepOptions & {
    optimizer?: Optimizer;
    learningRate?: number;
    steps?: number;
    stepsPerEpoch?: number;
    classNames?: string[];
  } = {},
) {
  const optimizer = method.freezes ? freezing(plain, method.freezes) : plain;
  const { learningRate = 0.1, steps = 10, stepsPerEpoch = 5 } = options;
  const start = { labels: new Int32Array(options.classNames?.length ?? 0), classNames: options.classNames ?? [] };
  const objective: Objective<Name> = {
    ...method,
    schedules: method.schedules?.({ steps, stepsPerEpoch }),
    loss: (model, { labels, ...views }, context) =>
      method.loss(model, { views: Object.values(views), labels: labels!, allLabels: context.whole?.labels }, context),
  };
  const { parameters, state } = method.initialize(key(1).fold('weights'), start);
  const step = trainingStep(objective, optimizer, options);
  let tensors: TrainingTensors = { parameters, state, optimizer: optimizer.initialize(parameters) };
  let done = 0;
  return {
    get tensors() {
      return tensors;
    },
    /** @returns the metrics of the step */
    take(views: readonly Tensor[], classes?: readonly number[]): Record<string, number> {
      const values = { learningRate, ...valuesAt(objective.schedules ?? {}, done) };
      const scheduled = scalars(values) as unknown as Scheduled<Name>;
      const batch: Tensors = { ...Object.fromEntries(views.map((view, at) => [`view${at}`, view])) };
      const labels = classes ?? new Array(views[0]!.shape[0]!).fill(-1);
      batch.labels = tf.tensor1d([...labels], 'int32');
      const next = step(tensors, batch, scheduled, key(1).fold('steps').fold(done));
      tensors = next.tensors;
      done += 1;
      const metrics = Object.entries(next.metrics).map(([name, tensor]) => [name, tensor.dataSync()[0]!] as const);
      disposeTensors(next.metrics);
      return Object.fromEntries(metrics);
    },
  };
}

/** Views of made-up patches, `[batch, size, size, 3]` each. */
export function randomImages(seed: number, batch: number, sizes: readonly number[]): Tensor[] {
  return sizes.map((size, view) => randomNormal(key('images').fold(seed).fold(view), [batch, size, size, 3]));
}

export const valuesOf = (tensor: Tensor) => Array.from(tensor.dataSync());

/** |a - b| / |b|, of all values. */
export function relativeError(actual: Tensor, expected: number[] | number[][]): number {
  const values = actual.dataSync();
  const flat = expected.flat();
  if (values.length !== flat.length) throw new Error(`${values.length} values, and ${flat.length} expected`);
  return Math.hypot(...flat.map((value, index) => value - values[index]!)) / Math.hypot(...flat);
}

function valuesAt(schedules: Readonly<Record<string, (step: number) => number>>, step: number) {
  return Object.fromEntries(Object.entries(schedules).map(([name, schedule]) => [name, schedule(step)]));
}

function scalars(values: Readonly<Record<string, number>>): Tensors {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, tf.scalar(value)]));
}

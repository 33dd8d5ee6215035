import { type ConvAlgorithms, withConvAlgorithms } from '../conv-algorithms.js';
import {
  type ConvolutionShape,
  type GradientAlgorithm,
  supportedAlgorithms,
  weightGradient,
} from '../ops/weight-gradient.js';
import { type Tensor, tf } from '../runtime.js';
import { CompiledFunction } from './compiled-function.js';
import { inPrecision, type Precision } from './precision.js';
import { record } from './record.js';
import { leavesOf } from './tree.js';

const rounds = 4;
/** Another form than the usual one has to take less than this part of its time. */
const clearly = 0.9;

export interface MeasureOptions {
  forms: ConvAlgorithms;
  precision?: Precision;
  /** Told before each convolution that is measured, and after the last. */
  onProgress?: (done: number, total: number) => void | Promise<void>;
}

/**
 * Finds the fastest form of each convolution's weight gradient in a step and adds it to `forms`: those that are not in
 * it yet are run a few times in each form, as compiled functions, on inputs of the step's own sizes.
 *
 * @param inputs what the step is called with; they are not changed, and the step itself is not run
 * @returns how many convolutions were measured, and the table of all in the step
 */
export async function autotuneConvolutions<Inputs extends unknown[]>(
  step: (...inputs: Inputs) => unknown,
  inputs: Inputs,
  { forms, precision = 'float32', onProgress }: MeasureOptions,
): Promise<{ measured: number; table: Record<string, GradientAlgorithm> }> {
  const convolutions = new Map<string, ConvolutionShape>();
  const onUse = (name: string, shape: ConvolutionShape) => convolutions.set(name, shape);
  withConvAlgorithms({ forms, precision, onUse }, () =>
    record(step.name || 'step', step, inputs, leavesOf(inputs, 'input')).release(),
  );
  const unknown = [...convolutions].filter(([name]) => !forms.get(name));
  for (const [done, [name, shape]] of unknown.entries()) {
    await onProgress?.(done, unknown.length);
    forms.set(name, await fastestAlgorithm(shape, precision));
  }
  if (unknown.length > 0) await onProgress?.(unknown.length, unknown.length);
  const names = [...convolutions.keys()].sort();
  return { measured: unknown.length, table: Object.fromEntries(names.map((name) => [name, forms.get(name)!])) };
}

async function fastestAlgorithm(shape: ConvolutionShape, precision: Precision): Promise<GradientAlgorithm> {
  const possible = supportedAlgorithms(shape);
  const x = tf.fill([...shape.x], 0.1);
  const dy = tf.fill(outputShape(shape), 0.1);
  const functions = possible.map((form) => {
    const gradient = (x: Tensor, dy: Tensor) => weightGradient(form, shape, x, dy);
    const { program, release } = record(form, gradient, [x, dy], leavesOf([x, dy], 'input'));
    return new CompiledFunction(form, inPrecision(program, precision), { release, xla: false, writable: [] });
  });
  try {
    const best = possible.map(() => Number.POSITIVE_INFINITY);
    // In turns, so that all see the same machine; the first round, in which TensorFlow prepares, does not count.
    for (let round = 0; round <= rounds; round++) {
      for (const [place, compiled] of functions.entries()) {
        const began = performance.now();
        tf.dispose(await compiled.run([x, dy], new Map()));
        if (round > 0) best[place] = Math.min(best[place]!, performance.now() - began);
      }
    }
    const fastest = best.indexOf(Math.min(...best));
    return best[fastest]! < clearly * best[0]! ? possible[fastest]! : possible[0]!;
  } finally {
    for (const compiled of functions) compiled.dispose();
    tf.dispose([x, dy]);
  }
}

function outputShape({ kind, x, weight, stride, padding }: ConvolutionShape): [number, number, number, number] {
  const [batch, rows, columns, channels] = x as [number, number, number, number];
  const [height, width, , last] = weight as [number, number, number, number];
  const places = (size: number, kernel: number) =>
    padding === 'SAME' ? size : Math.floor((size - kernel) / stride) + 1;
  return [batch, places(rows, height), places(columns, width), kind === 'depthwise' ? channels * last : last];
}

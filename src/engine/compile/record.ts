import { Key } from '../../base/index.js';
import { type Tensor, tf } from '../runtime.js';
import { CompileError, callSite } from './errors.js';
import type { TensorInfo } from './native.js';
import { dependentValues, type Program, withoutUnused } from './program.js';
import { Recorder } from './recorder.js';
import { type Empty, isEmpty, isTensor, type Leaf, leavesOf, withLeaves } from './tree.js';

/** Where a leaf of a step's output comes from: the program's outputs, or straight from an input; else it holds nothing. */
export type Source = { output: number } | { input: number } | { nothing: null | undefined | Empty };

/** A step as it was recorded. */
export interface Recording {
  program: Program;
  /** The output's structure; its leaves are of no use any more. */
  output: unknown;
  /** One for each leaf of the output. */
  sources: Source[];
  /** Lets go of the tensors that the program keeps alive. */
  release: () => void;
}

/**
 * Calls a step once and writes down what it does. The call computes nothing: see `Recorder`.
 *
 * @param leaves those of `inputs`
 * @throws CompileError if the step cannot be recorded; what the step throws itself
 */
export function record<Inputs extends unknown[]>(
  name: string,
  step: (...inputs: Inputs) => unknown,
  inputs: Inputs,
  leaves: readonly Leaf[],
): Recording {
  const recorder = new Recorder(name);
  const tensorsBefore = tf.memory().numTensors;
  let recording: Recording | undefined;
  tf.tidy(() => {
    const infos: TensorInfo[] = [];
    const placeholders: { placeholder: Tensor; path: string }[] = [];
    const given = leaves.map(({ path, value }, leaf) => {
      if (value instanceof Key) return recorder.addKey(value, leaf);
      if (!isTensor(value)) return value;
      const { placeholder, info } = recorder.addInput(value);
      placeholders.push({ placeholder, path });
      infos.push(info);
      return placeholder;
    });
    recorder.record(() => {
      const output = step(...(withLeaves(inputs, given) as Inputs));
      if (output instanceof Promise) {
        output.catch(() => {});
        throw new CompileError(`${name} returns a promise; a step must be a synchronous function`);
      }
      const disposed = placeholders.find(({ placeholder }) => placeholder.isDisposed);
      if (disposed)
        throw new CompileError(`${name} disposes of its input ${disposed.path}; inputs belong to the caller`);
      const outputLeaves = leavesOf(output, `${name}: output`);
      const ids = outputLeaves.map((leaf) => valueOfOutput(name, leaf, recorder));

      const inputIds = infos.map(({ id }) => id);
      const outputs = [...new Set(ids.filter((id) => id !== undefined && !inputIds.includes(id)))] as number[];
      const program: Program = { ...recorder.program(), inputs: infos, outputs };
      refuseConstantOutputs(name, program, ids, outputLeaves);
      const sources = ids.map((id, leaf): Source => {
        if (id === undefined) return { nothing: outputLeaves[leaf]!.value as null | undefined | Empty };
        return inputIds.includes(id) ? { input: inputIds.indexOf(id) } : { output: outputs.indexOf(id) };
      });
      const needed = withoutUnused(program);
      recorder.releaseAllBut(needed);
      recording = { program: needed, output, sources, release: () => recorder.release() };
    });
  });
  const left = tf.memory().numTensors - tensorsBefore - recorder.captures.length;
  if (left > 0) {
    recorder.release();
    throw new CompileError(
      `${name} keeps ${left} tensors beyond its call (tf.keep or tf.variable); return them from the step instead`,
    );
  }
  return recording!;
}

function valueOfOutput(name: string, { path, value }: Leaf, recorder: Recorder): number | undefined {
  if (value === null || value === undefined || isEmpty(value)) return undefined;
  if (isTensor(value)) {
    if (value.isDisposed) throw new CompileError(`${name}: output ${path} is disposed`);
    return recorder.valueOf(value);
  }
  const what = value instanceof Key ? 'a key' : `the ${typeof value} ${String(value)}`;
  throw new CompileError(
    `${name}: output ${path} is ${what}, which would be the same at every call; a step returns tensors`,
  );
}

function refuseConstantOutputs(
  name: string,
  program: Program,
  ids: (number | undefined)[],
  leaves: readonly Leaf[],
): void {
  const dependent = dependentValues(program);
  const place = ids.findIndex((id) => id !== undefined && !dependent.has(id));
  if (place < 0) return;
  const id = ids[place];
  const made =
    program.ops.find(({ outputs }) => outputs.some((output) => output.id === id)) ??
    program.constants.find((constant) => constant.id === id);
  const { call, line } = callSite(made?.origin.stack);
  throw new CompileError(
    `${name}: output ${leaves[place]!.path} depends on none of the inputs, so it would be the same at every call\n` +
      (made ? `    at ${call} (${line})` : '    it is a tensor from outside the step'),
  );
}

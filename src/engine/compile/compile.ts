import { Key } from '../../base/index.js';
import { type ConvAlgorithms, withConvAlgorithms } from '../conv-algorithms.js';
import type { Tensor } from '../runtime.js';
import { CompiledFunction } from './compiled-function.js';
import { CompileError } from './errors.js';
import { inPrecision, type Precision, precisions } from './precision.js';
import { record, type Source } from './record.js';
import { refuseInStep } from './recorder.js';
import { describeLeaf, isTensor, type Leaf, leavesOf, withLeaves } from './tree.js';
import { withWinograd } from './winograd.js';

export interface CompileOptions {
  /** Stands in errors and profiles; by default the step function's own name. */
  name?: string;
  /** What the step's costly ops compute in; float32 by default. */
  precision?: Precision;
  /** How the weight gradients of its convolutions are computed, as far as the table knows them. */
  convAlgorithms?: ConvAlgorithms;
  /**
   * Numbers of the arguments whose tensors are given away, as with JAX's `donate_argnums`: each run disposes of them at
   * once, whether it succeeds or not, and outputs of the same shapes and dtypes take over their memory. (A call that
   * cannot be recorded runs nothing and leaves them to the caller.) A training step gives its parameters and its
   * optimizer's state away, which halves what it holds of them. Tensors that share memory with them keep their values.
   * With `xla`, on a GPU and without pathlab's own ops they are only disposed of.
   */
  donate?: readonly number[];
  /** Lets XLA compile the step. */
  xla?: boolean;
  /** How many recordings are kept, one for each signature of the inputs. */
  cacheSize?: number;
}

/** A step that runs as one TensorFlow function. */
export interface Compiled<Inputs extends unknown[], Output> {
  /**
   * The output's tensors are new ones, the caller's to dispose of; the inputs may be disposed of at once, and those that
   * `donate` names are.
   */
  (...inputs: Inputs): Promise<Output>;
  /** Frees the recordings, those that are running when they have ended. */
  dispose(): void;
}

/**
 * Compiles a pure step: tensors, keys and plain values in nested records and arrays come in, tensors in the same go
 * out. The first call with a new signature (structure, shapes, dtypes, plain values) calls the step once to record its
 * ops, which computes nothing: every result comes from the recorded program, so that a first call gives the same bits
 * as a later one (run eagerly, TensorFlow would choose other kernels for it), and that a mistake in the step still throws
 * at its author's line, before any time is spent. Runs leave the event loop free.
 *
 * Numbers, strings and booleans among the inputs are part of the signature. What changes from call to call comes in
 * as a tensor; randomness comes in as a `Key`, which the step may fold and give to the random ops.
 *
 * @returns a function whose promise rejects with a CompileError for what cannot be recorded, naming the call and the
 *   line; with the step's own error if it throws; or with the failed op and its line
 */
export function compile<Inputs extends unknown[], Output>(
  step: (...inputs: Inputs) => Output,
  options: CompileOptions = {},
): Compiled<Inputs, Output> {
  const { name = step.name || 'step', precision = 'float32', convAlgorithms, donate = [], xla = false } = options;
  const { cacheSize = 8 } = options;
  if (!precisions.includes(precision)) {
    throw new RangeError(`${name}: precision is one of ${precisions.join(', ')}; got "${precision as string}"`);
  }
  if (!(Number.isInteger(cacheSize) && cacheSize > 0)) {
    throw new RangeError(`${name}: cacheSize must be a positive integer; got ${cacheSize}`);
  }
  if (!donate.every((argument) => Number.isInteger(argument) && argument >= 0)) {
    throw new RangeError(`${name}: donate names arguments by their numbers, from 0 on; got [${donate}]`);
  }
  /** By signature, the one used last at the end. */
  const cache = new Map<string, CompiledStep>();
  const sayOnce = speaker();
  let lastSignature: string[] | undefined;
  let disposed = false;

  const compiled = async (...inputs: Inputs): Promise<Output> => {
    // Nobody may wait for this promise, so that it must not reject: the step that calls fails in its place.
    if (refuseInStep(`the compiled ${name}`, 'call the uncompiled function there; it becomes part of this step')) {
      return new Promise(() => {});
    }
    if (disposed) throw new CompileError(`${name} was called after its dispose()`);
    const leaves = leavesOf(inputs, `${name}: input`);
    const gone = leaves.find(({ value }) => isTensor(value) && value.isDisposed);
    if (gone) throw new CompileError(`${name}: input ${gone.path} is disposed`);

    const signature = leaves.map(describeLeaf);
    const identity = signature.join('\n');
    let compiledStep = cache.get(identity);
    if (!compiledStep) {
      if (lastSignature) sayOnce('change', describeChange(name, lastSignature, signature));
      compiledStep = compileStep(name, step, inputs, leaves, { precision, convAlgorithms, xla, donate });
    }
    lastSignature = signature;
    cache.delete(identity);
    cache.set(identity, compiledStep);
    if (cache.size > cacheSize) {
      sayOnce('full', `${name} has had more than ${cacheSize} signatures; the recording used longest ago is dropped`);
      const [oldest] = cache.keys();
      cache.get(oldest!)!.function.dispose();
      cache.delete(oldest!);
    }
    return (await run(compiledStep, leaves, donate)) as Output;
  };

  return Object.assign(compiled, {
    dispose() {
      disposed = true;
      for (const step of cache.values()) step.function.dispose();
      cache.clear();
    },
  });
}

interface CompiledStep {
  function: CompiledFunction;
  output: unknown;
  sources: Source[];
}

function compileStep<Inputs extends unknown[]>(
  name: string,
  step: (...inputs: Inputs) => unknown,
  inputs: Inputs,
  leaves: readonly Leaf[],
  {
    precision,
    convAlgorithms: forms,
    xla,
    donate,
  }: Pick<CompileOptions, 'convAlgorithms'> & { precision: Precision; xla: boolean; donate: readonly number[] },
): CompiledStep {
  const { program, output, sources, release } = withConvAlgorithms(forms && { forms, precision }, () =>
    record(name, step, inputs, leaves),
  );
  const passedOn = new Set(sources.flatMap((source) => ('input' in source ? [source.input] : [])));
  const writable = tensorLeaves(leaves).flatMap((leaf, place) =>
    donate.includes(argumentOf(leaf)) && !passedOn.has(place) ? [place] : [],
  );
  try {
    const inItsPrecision = inPrecision(program, precision);
    // XLA compiles TensorFlow's own ops only.
    const optimized = xla ? inItsPrecision : withWinograd(inItsPrecision);
    const compiled = new CompiledFunction(name, optimized, { release, xla, writable });
    return { output, sources, function: compiled };
  } catch (error) {
    release();
    throw error;
  }
}

function tensorLeaves(leaves: readonly Leaf[]): (Leaf & { value: Tensor })[] {
  return leaves.filter((leaf): leaf is Leaf & { value: Tensor } => isTensor(leaf.value));
}

/** The number of the argument that a leaf is in. */
function argumentOf({ path }: Leaf): number {
  return Number(/^\[(\d+)\]/.exec(path)![1]);
}

async function run(
  { function: compiled, output, sources }: CompiledStep,
  leaves: readonly Leaf[],
  donate: readonly number[],
): Promise<unknown> {
  const given = tensorLeaves(leaves);
  const inputs = given.map(({ value }) => value);
  const keys = new Map(leaves.flatMap(({ value }, leaf) => (value instanceof Key ? [[leaf, value] as const] : [])));
  // Cloned before the run, for the caller may dispose of the inputs meanwhile.
  const passedOn = sources.map((source) => ('input' in source ? inputs[source.input]!.clone() : undefined));
  let outputs: Tensor[];
  try {
    const running = compiled.run(inputs, keys);
    for (const leaf of given) if (donate.includes(argumentOf(leaf))) leaf.value.dispose();
    outputs = await running;
  } catch (error) {
    for (const tensor of passedOn) tensor?.dispose();
    throw error;
  }
  const handedOut = new Set<number>();
  return withLeaves(
    output,
    sources.map((source, leaf) => {
      if ('nothing' in source) return structuredClone(source.nothing);
      if ('input' in source) return passedOn[leaf];
      const tensor = outputs[source.output]!;
      // A tensor that occurs twice in the output is two, so that each can be disposed of.
      if (handedOut.has(source.output)) return tensor.clone();
      handedOut.add(source.output);
      return tensor;
    }),
  );
}

/** A step that is recorded again and again is slow, and the reason is in its inputs. */
function describeChange(name: string, before: readonly string[], now: readonly string[]): string {
  const place = now.findIndex((leaf, index) => leaf !== before[index]);
  const [was, is] = place < 0 ? [before[now.length], 'omitted'] : [before[place] ?? 'not there', now[place]];
  return (
    `${name} is recorded again: its input ${was} is now ${is}. ` +
    'Further changes are not told. Numbers that change from call to call should come in as tensors.'
  );
}

function speaker(): (topic: string, text: string) => void {
  const said = new Set<string>();
  return (topic, text) => {
    if (!said.has(topic)) console.warn(text);
    said.add(topic);
  };
}

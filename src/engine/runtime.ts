import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import type { Tensor } from '@tensorflow/tfjs-core';
import { loadCustomOps } from './custom-ops.js';
import { gpuMissing } from './gpu-reason.js';
import { tileGradient } from './tile-gradient.js';

export type { Tensor } from '@tensorflow/tfjs-core';

type TensorFlow = typeof import('@tensorflow/tfjs-node-gpu');

/** The parts of tfjs-node's backend and native binding that pathlab calls. */
interface Backend {
  binding: Binding;
  executeMultipleOutputs(name: string, attributes: Attribute[], inputs: Tensor[], outputCount: number): Tensor[];
  createOutputTensor(metadata: { id: number; shape: number[]; dtype: number }): Tensor;
  /** What is behind each tensor; its dtype is TensorFlow's own. */
  tensorMap: { get(dataId: object): { dtype: number } };
}

interface Binding {
  TF_Version: string;
  isUsingGpuDevice(): boolean;
  loadLibrary(path: string): void;
  createTensor(shape: number[], dtype: number, values: Uint8Array | Uint8Array[]): number;
}

/** One attribute of a TensorFlow op in the form that the native binding reads. */
export interface Attribute {
  name: string;
  type: number;
  value: number | boolean | string | number[];
}

/** Numbers of TensorFlow's C API: `TF_AttrType` and `TF_DataType`. */
export const attributeTypes = { string: 0, int: 1, float: 2, bool: 3, type: 4, shape: 5 };
const dataTypes = { float32: 1, int32: 3, uint8: 4, string: 7, complex64: 8, int64: 9, bool: 10, bfloat16: 14 };

const require = createRequire(import.meta.url);
let loaded: TensorFlow | undefined;

/**
 * `@tensorflow/tfjs-node-gpu`, loaded when first used: importing pathlab costs nothing until a tensor is made.
 *
 * @throws Error with the loader's reason if set-up has not built the native addon or its library is missing, or if
 *   `PATHLAB_DEVICE` asks for a GPU and TensorFlow uses none, or if pathlab's ops are not there or not for this CPU
 */
export const tf: TensorFlow = new Proxy({} as TensorFlow, {
  get: (_target, name) => load()[name as keyof TensorFlow],
  has: (_target, name) => name in load(),
});

/** Whether TensorFlow is in this process already. */
export function isTensorFlowLoaded(): boolean {
  return loaded !== undefined;
}

function load(): TensorFlow {
  if (loaded) return loaded;
  const asked = requestedDevice();
  prepareEnvironment();
  restoreUtilFunctions();
  let runtime: TensorFlow;
  try {
    runtime = require('@tensorflow/tfjs-node-gpu') as TensorFlow;
  } catch (error) {
    throw new Error(
      `TensorFlow could not be loaded: ${(error as Error).message.split('\n')[0]}\n` +
        'Run `npm run setup`: it installs the runtime and builds the addon.',
      { cause: error },
    );
  }
  const { binding } = runtime.backend() as unknown as Backend;
  if (asked === 'gpu' && !binding.isUsingGpuDevice()) throw gpuMissing();
  loadCustomOps(binding);
  runtime.unregisterGradient(tileGradient.kernelName);
  runtime.registerGradient(tileGradient);
  loaded = runtime;
  return loaded;
}

/** What TensorFlow was given here because nobody had chosen it. */
const chosenHere = new Set<string>();

/** This process's variables, but for what it has chosen for its own TensorFlow: others choose for themselves. */
export function environmentOfOthers(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !chosenHere.has(name)));
}

/** TensorFlow reads these once, while it loads. What the caller has set stays. */
function prepareEnvironment(): void {
  const choose = (name: string, value: string) => {
    if (process.env[name] !== undefined) return;
    process.env[name] = value;
    chosenHere.add(name);
  };
  const threads = String(availableParallelism());
  // Sums are split over threads, so the thread count is part of a result's bits.
  choose('TF_NUM_INTRAOP_THREADS', threads);
  choose('TF_NUM_INTEROP_THREADS', threads);
  // TensorFlow leaves oneDNN aside on CPUs without AVX-512, where its convolutions are still twice as fast as Eigen's.
  if (process.arch === 'x64') choose('TF_ENABLE_ONEDNN_OPTS', '1');
  // Hides the notices of a healthy start; warnings and errors stay visible.
  choose('TF_CPP_MIN_LOG_LEVEL', '1');
  choose('TF_FORCE_GPU_ALLOW_GROWTH', 'true');
  if (requestedDevice() === 'cpu') process.env.CUDA_VISIBLE_DEVICES = '-1';
}

/** What `PATHLAB_DEVICE` asks for. */
export function requestedDevice(): 'cpu' | 'gpu' | undefined {
  const asked = process.env.PATHLAB_DEVICE;
  if (asked === undefined || asked === '') return undefined;
  if (asked === 'cpu' || asked === 'gpu') return asked;
  throw new Error(`PATHLAB_DEVICE is "${asked}"; it takes cpu or gpu, or leave it unset`);
}

/** tfjs-node 4.22 calls these functions of `util`, which Node 23 removed. */
function restoreUtilFunctions(): void {
  const util = require('node:util') as Record<string, unknown>;
  util.isNullOrUndefined ??= (value: unknown) => value === null || value === undefined;
  util.isArray ??= Array.isArray;
}

function backend(): Backend {
  return tf.backend() as unknown as Backend;
}

/** The native addon of tfjs-node with pathlab's extension. */
export function binding(): Binding & Record<string, unknown> {
  return backend().binding as Binding & Record<string, unknown>;
}

/** Builders of op attributes: `attribute.type('T', 'float32')`. */
export const attribute = {
  type: (name: string, dtype: keyof typeof dataTypes): Attribute => make(name, 'type', dataTypes[dtype]),
  /** The dtype attribute that most ops call `T`, from a tensor. */
  typeOf: (name: string, tensor: Tensor): Attribute => make(name, 'type', dataTypes[tensor.dtype]),
  int: (name: string, value: number): Attribute => make(name, 'int', value),
  ints: (name: string, values: readonly number[]): Attribute => make(name, 'int', [...values]),
  float: (name: string, value: number): Attribute => make(name, 'float', value),
  bool: (name: string, value: boolean): Attribute => make(name, 'bool', value),
  string: (name: string, value: string): Attribute => make(name, 'string', value),
  shape: (name: string, sizes: readonly number[]): Attribute => make(name, 'shape', [...sizes]),
};

function make(name: string, type: keyof typeof attributeTypes, value: Attribute['value']): Attribute {
  return { name, type: attributeTypes[type], value };
}

/**
 * Runs any op that TensorFlow knows, by its name and attributes as in TensorFlow's op definitions. It has no gradient
 * of its own: the files under ops/ give theirs.
 *
 * @throws Error with the op's name and TensorFlow's message
 */
export function executeOp(
  name: string,
  attributes: readonly Attribute[],
  inputs: readonly Tensor[],
  outputCount: number,
): Tensor[] {
  try {
    return backend().executeMultipleOutputs(name, [...attributes], [...inputs], outputCount);
  } catch (error) {
    const shapes = inputs.map((input) => `${input.dtype}[${input.shape}]`).join(', ');
    throw new Error(`the TensorFlow op ${name}(${shapes}) failed: ${(error as Error).message}`, { cause: error });
  }
}

/** `executeOp` for an op with a single output. */
export function runOp(name: string, attributes: readonly Attribute[], inputs: readonly Tensor[]): Tensor {
  return executeOp(name, attributes, inputs, 1)[0]!;
}

/**
 * Bytes as a tensor of bytes, which `isByteTensor` tells and `imagesOfDecoded` makes float32 of.
 *
 * @param bytes are not copied: they must not be written to as long as the tensor, or a step that was given it, needs them
 */
export function uploadBytes(bytes: Uint8Array, shape: readonly number[]): Tensor {
  const count = shape.reduce((product, size) => product * size, 1);
  if (bytes.length !== count) {
    throw new RangeError(`uploadBytes got ${bytes.length} bytes for the shape [${shape}], which holds ${count}`);
  }
  const id = backend().binding.createTensor([...shape], dataTypes.uint8, bytes);
  return backend().createOutputTensor({ id, shape: [...shape], dtype: dataTypes.uint8 });
}

/** Whether a tensor holds bytes. tfjs shows them as int32; TensorFlow takes one for the other nowhere. */
export function isByteTensor(tensor: Tensor): boolean {
  return tensor.dtype === 'int32' && backend().tensorMap.get(tensor.dataId).dtype === dataTypes.uint8;
}

/** Byte strings, such as encoded images, as a tensor of TensorFlow's strings, `[strings.length]`. */
export function uploadStrings(strings: readonly Uint8Array[]): Tensor {
  if (strings.length === 0) throw new RangeError('uploadStrings needs at least one string');
  const shape = [strings.length];
  const id = backend().binding.createTensor(shape, dataTypes.string, [...strings]);
  return backend().createOutputTensor({ id, shape, dtype: dataTypes.string });
}

/** The call under `tf.customGrad`, whose own interface computes every input's gradient, needed or not. */
interface GradientEngine {
  runKernelFunc(call: {
    forwardFunc: (backend: unknown, save: (tensors: Tensor[]) => void) => Tensor;
    backwardsFunc: (dy: Tensor, saved: Tensor[]) => Record<string, () => Tensor>;
    inputs: Record<string, Tensor>;
  }): Tensor;
}

/**
 * Gives a computation its gradient.
 *
 * @param inputs the tensors that a gradient may flow to
 * @param forward returns the value, and a function from the value's gradient to one function for each of `inputs`, in
 *   order, that computes the input's gradient: only those that the loss needs are called. Tensors that they use are
 *   passed through `save`, also the inputs
 */
export function withGradient(
  inputs: readonly Tensor[],
  forward: (save: (tensors: Tensor[]) => void) => {
    value: Tensor;
    gradient: (dy: Tensor, saved: Tensor[]) => (() => Tensor)[];
  },
): Tensor {
  let gradient: ReturnType<typeof forward>['gradient'];
  return (tf.engine() as unknown as GradientEngine).runKernelFunc({
    forwardFunc: (_backend, save) => {
      const result = forward(save);
      gradient = result.gradient;
      return result.value;
    },
    backwardsFunc: (dy, saved) => Object.fromEntries(gradient(dy, saved).entries()),
    inputs: Object.fromEntries(inputs.entries()),
  });
}

import type { Key } from '../../base/index.js';
import { wantsFullPrecision } from '../full-precision.js';
import { type Tensor, tf } from '../runtime.js';
import { CompileError, callSite } from './errors.js';
import { placeholderKey } from './keys.js';
import {
  DataType,
  groupByArgument,
  type Native,
  type NodeBackend,
  nodeBackend,
  opDefinition,
  type TensorInfo,
  type Trace,
} from './native.js';
import {
  type Capture,
  type Constant,
  type InstanceKey,
  isCollective,
  type Program,
  type RecordedOp,
  type Seed,
} from './program.js';

/** Whether an op is marked as stateful although its outputs depend only on its inputs, or on what other processes give. */
const isPure = (op: string) => op === 'CheckNumerics' || isCollective({ op });

/**
 * Outputs whose shape TensorFlow does not tell: one that is only handed on to the op's own gradient; and images and
 * gathered rows, which decodeJpegs, decodeMasks and allGather hand on to EnsureShape.
 */
const opaqueOutputs: Record<string, number> = {
  FusedBatchNormV3: 5,
  DecodeJpeg: 0,
  DecodePng: 0,
  CollectiveGatherV2: 0,
  PathlabGatherOfProcesses: 0,
};

/** Frames kept of each op's stack: tfjs alone takes about twenty between an op and the step's author. */
const stackDepth = 60;

/** Constants up to this size are written into the program, where TensorFlow folds them; larger ones are passed to it. */
const largestConstant = 16 * 1024;

const hostRead = [
  'reading a tensor on the host',
  'what is done with the value would be the same at every call; return the tensor, or express it in tensor ops',
] as const;

let recording: Recorder | undefined;

/** Whether what runs now is a step that is being recorded. */
export function isRecording(): boolean {
  return recording !== undefined;
}

/** The number of a collective in the step that is being recorded, if one is: an input of it. */
export function recordedInstanceKey(): Tensor | undefined {
  return recording?.addInstanceKey();
}

/** Refuses something in the step that is being recorded, if one is: it fails when it returns. */
export function refuseInStep(what: string, why: string): boolean {
  recording?.refusal(what, why);
  return isRecording();
}

/**
 * Writes down every TensorFlow op that a step calls, by standing between tfjs and its native binding. Nothing is
 * computed: TensorFlow infers shapes and dtypes, so that a mistake in the step throws at its author's own line, and
 * tensors of the recording have no values.
 *
 * To tfjs, such a tensor's id is `-1 - id` of its value in the trace; ids of tensors that exist are 0 or above.
 */
export class Recorder {
  private readonly ops: RecordedOp[] = [];
  private constants: Constant[] = [];
  private readonly seeds: Seed[] = [];
  private readonly instanceKeys: InstanceKey[] = [];
  captures: Capture[] = [];
  private readonly backend: NodeBackend = nodeBackend();
  private readonly native: Native = this.backend.binding;
  private readonly trace: Trace = this.native.beginTrace();
  /** Values of the constants and captures, by the id of the tensor that exists. */
  private readonly valuesOfTensors = new Map<number, number>();
  private refused: CompileError | undefined;

  constructor(private readonly name: string) {
    if (recording)
      recording.refuse(`compiling ${name}`, 'call the uncompiled function there; it becomes part of this step');
  }

  /**
   * @returns what `body` returns
   * @throws CompileError if something in `body` cannot be part of a program, also where `body` catches it
   */
  record<Result>(body: () => Result): Result {
    const { stackTraceLimit } = Error;
    const { random } = Math;
    const { backend } = this;
    const getInputTensorIds = backend.getInputTensorIds.bind(backend);
    recording = this;
    Error.stackTraceLimit = stackDepth;
    Math.random = () =>
      this.refuse(
        'a random number from the host',
        'every call would get the same number; use functions such as randomUniform with a Key',
      );
    backend.binding = this.listeningBinding();
    backend.getInputTensorIds = (tensors) => {
      for (const tensor of tensors) this.refuseUnusable(tensor);
      const ids = getInputTensorIds(tensors);
      for (const [place, id] of ids.entries()) {
        if (id >= 0 && !this.valuesOfTensors.has(id)) this.capture(id, tensors[place]!);
      }
      return ids;
    };
    // A refusal inside tensor.data() would reject a promise that nobody waits for. It is thrown when the step returns.
    backend.read = () => {
      this.refusal(...hostRead);
      return new Promise(() => {});
    };
    try {
      const result = body();
      if (this.refused) throw this.refused;
      return result;
    } catch (error) {
      this.release();
      throw this.refused ?? error;
    } finally {
      recording = undefined;
      Error.stackTraceLimit = stackTraceLimit;
      Math.random = random;
      backend.binding = this.native;
      // What the instance was given hides the prototype's method.
      delete (backend as Partial<NodeBackend>).getInputTensorIds;
      delete (backend as Partial<NodeBackend>).read;
    }
  }

  /** A placeholder tensor of an input. */
  addInput({ dataId, shape }: Tensor): { placeholder: Tensor; info: TensorInfo } {
    const { dtype } = this.backend.tensorMap.get(dataId);
    const [info] = this.native.traceInput(this.trace, dtype, shape);
    return { placeholder: this.placeholderFor(info), info };
  }

  /** A placeholder for a key among the inputs' leaves. */
  addKey(key: Key, leaf: number): Key {
    return placeholderKey(key, {
      makeSeed: (path) => {
        if (recording !== this)
          throw new CompileError(`${this.name} is already recorded: its keys can no longer be used`);
        const [info] = this.native.traceInput(this.trace, DataType.int32, [2]);
        this.seeds.push({ ...info, leaf, path });
        return this.placeholderFor(info);
      },
      refuse: (what, why) => this.refuse(what, why),
    });
  }

  /** A placeholder for the number of one collective. */
  addInstanceKey(): Tensor {
    const [info] = this.native.traceInput(this.trace, DataType.int32, []);
    this.instanceKeys.push(info);
    return this.placeholderFor(info);
  }

  /** What has been recorded so far. */
  program(): Pick<Program, 'ops' | 'constants' | 'seeds' | 'instanceKeys' | 'captures'> {
    const { ops, constants, seeds, instanceKeys, captures } = this;
    return { ops, constants, seeds, instanceKeys, captures };
  }

  /** The value of a placeholder tensor. */
  valueOf(tensor: Tensor): number {
    return this.valueOfId(this.backend.getInputTensorIds([tensor])[0]!);
  }

  /** Lets go of what the recording keeps alive. */
  release(): void {
    this.releaseAllBut({ captures: [], constants: [] });
  }

  releaseAllBut({ captures, constants }: Pick<Program, 'captures' | 'constants'>): void {
    for (const capture of this.captures) if (!captures.includes(capture)) capture.tensor.dispose();
    for (const constant of this.constants) {
      if (constant.held !== undefined && !constants.includes(constant)) this.native.deleteTensor(constant.held);
    }
    this.captures = captures;
    this.constants = constants;
  }

  private placeholderFor({ id, shape, dtype }: TensorInfo): Tensor {
    return this.backend.createOutputTensor({ id: -1 - id, shape, dtype });
  }

  private valueOfId(id: number): number {
    return id < 0 ? -1 - id : this.valuesOfTensors.get(id)!;
  }

  private listeningBinding(): Native {
    const listening: Partial<Native> & { runSavedModel(): never } = {
      executeOp: (op, attributes, inputs, outputCount) => {
        const definition = opDefinition(op);
        if (definition.getIsStateful() && !isPure(op)) {
          this.refuse(
            `the op ${op}`,
            'its result depends on more than its inputs; random ops take their seed from a Key',
          );
        }
        const values = inputs.map((id) => this.valueOfId(id));
        const grouped = groupByArgument(definition.getInputArgList(), values).map(({ isList, values }) =>
          isList ? values : values[0]!,
        );
        const outputs = this.native
          .traceOp(this.trace, op, attributes, grouped)
          .slice(0, outputCount)
          .map(({ shape, ...output }, place) => {
            if (shape || opaqueOutputs[op] === place) return { ...output, shape: shape ?? [] };
            return this.refuse(`the op ${op}`, 'the shape of its result depends on values');
          });
        const isFull = wantsFullPrecision();
        this.ops.push({ op, attributes: [...attributes], inputs: values, outputs, isFull, origin: new Error(op) });
        return outputs.map((output) => ({ ...output, id: -1 - output.id }));
      },
      createTensor: (shape, dtype, values) => {
        if (dtype === DataType.uint8) {
          this.refuse(
            'uploading bytes',
            'every call would get the same bytes; upload them before the step and pass the tensor in',
          );
        }
        const id = this.native.createTensor(shape, dtype, values);
        this.valuesOfTensors.set(id, this.addConstant(shape, dtype, values));
        return id;
      },
      tensorDataSync: () => this.refuse(...hostRead),
      runSavedModel: () => this.refuse('a saved model', 'its ops cannot be recorded'),
    };
    // The addon's own properties are read-only, so they are shadowed rather than replaced.
    return Object.create(this.native, Object.getOwnPropertyDescriptors(listening)) as Native;
  }

  private addConstant(shape: number[], dtype: number, values: ArrayBufferView | Uint8Array[]): number {
    const origin = new Error('constant');
    if (ArrayBuffer.isView(values) && values.byteLength <= largestConstant) {
      const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength).slice();
      const [info] = this.native.traceConstant(this.trace, dtype, shape, bytes);
      this.constants.push({ ...info, origin, bytes });
      return info.id;
    }
    const [info] = this.native.traceInput(this.trace, dtype, shape);
    const held = this.native.createTensor(shape, dtype, values);
    this.constants.push({ ...info, origin, bytes: undefined, held });
    return info.id;
  }

  private refuseUnusable(tensor: Tensor): void {
    if (tensor.isDisposed) this.refuse('a disposed tensor', 'keep it until the step is recorded');
    if (tensor instanceof tf.Variable) {
      this.refuse('a tf.Variable', 'its value may change from call to call; pass it in, and return its new value');
    }
  }

  private capture(id: number, { dataId, shape, dtype }: Tensor): void {
    const [info] = this.native.traceInput(this.trace, this.backend.tensorMap.get(dataId).dtype, shape);
    this.valuesOfTensors.set(id, info.id);
    this.backend.incRef(dataId);
    const tensor = tf.keep(tf.engine().makeTensorFromTensorInfo({ dataId, shape, dtype }) as Tensor);
    this.captures.push({ ...info, tensor });
  }

  /** The refusal of something at the line that is running now; the first is the one that is thrown in the end. */
  refusal(what: string, why: string): CompileError {
    const { call, line } = callSite(new Error().stack);
    const error = new CompileError(`${what} cannot be part of ${this.name}: ${why}\n    at ${call} (${line})`);
    this.refused ??= error;
    return error;
  }

  private refuse(what: string, why: string): never {
    throw this.refusal(what, why);
  }
}

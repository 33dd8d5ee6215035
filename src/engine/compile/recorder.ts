import type { Key } from '../../runs/index.js';
import { type Tensor, tf } from '../runtime.js';
import { CompileError, callSite } from './errors.js';
import { type FoldPath, standInKey } from './keys.js';
import { DataType, type Native, type NodeBackend, nodeBackend, opDefinition, type TensorInfo } from './native.js';
import type { Capture, Constant, Program, RecordedOp, Seed } from './program.js';

/** Ops that TensorFlow calls stateful, though what they give depends on their inputs alone. */
const pureStatefulOps = new Set(['CheckNumerics', 'CollectiveReduceV2', 'CollectiveGatherV2']);

/** Frames kept of each op's stack: tfjs alone takes about twenty between an op and the step's author. */
const stackDepth = 60;

/** Constants up to this size are written into the program, where TensorFlow folds them; larger ones are passed to it. */
const largestConstant = 16 * 1024;

const hostRead = [
  'reading a tensor on the host',
  'what is done with the value would be the same at every call; return the tensor, or express it in tensor ops',
] as const;

let recording: Recorder | undefined;

/**
 * Writes down every TensorFlow op that runs while a step is called, by standing between tfjs and its native binding.
 * The ops run for real, so a mistake in the step throws at its author's own line.
 */
export class Recorder {
  private readonly ops: RecordedOp[] = [];
  private constants: Constant[] = [];
  private readonly seeds: Seed[] = [];
  captures: Capture[] = [];
  private readonly backend: NodeBackend = nodeBackend();
  private readonly native: Native = this.backend.binding;
  /** Ids of the values that the program knows: its inputs and all that was made while recording. */
  private readonly known = new Set<number>();
  private refused: CompileError | undefined;

  constructor(private readonly name: string) {
    if (recording) recording.refuse(`compiling ${name}`, 'call the plain step there, and it becomes part of this one');
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
        'a random number of the host',
        'every call would get the same; use randomUniform and its like with a Key',
      );
    backend.binding = this.listeningBinding();
    backend.getInputTensorIds = (tensors) => {
      for (const tensor of tensors) this.refuseUnusable(tensor);
      const ids = getInputTensorIds(tensors);
      for (const [place, id] of ids.entries()) if (!this.known.has(id)) this.capture(id, tensors[place]!);
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

  /** A tensor of the same values for the step to work on: telling it from a captured one by its id must be possible. */
  addInput(tensor: Tensor): { copy: Tensor; info: TensorInfo } {
    const [id] = this.backend.getInputTensorIds([tensor]) as [number];
    const { dtype } = this.backend.tensorMap.get(tensor.dataId);
    const [info] = this.native.executeOp('Identity', [{ name: 'T', type: 4, value: dtype }], [id], 1);
    this.known.add(info!.id);
    return { copy: this.backend.createOutputTensor(info!), info: info! };
  }

  addKey(key: Key, leaf: number): Key {
    const seedsByPath = new Map<string, Tensor>();
    return standInKey(key, (folded: Key, path: FoldPath) => {
      if (recording !== this) throw new CompileError(`${this.name} was recorded: its keys are of no use any more`);
      const place = JSON.stringify(path);
      const made = seedsByPath.get(place);
      if (made && !made.isDisposed) return made;
      const info = { shape: [2], dtype: DataType.int32 };
      const id = this.native.createTensor(info.shape, info.dtype, Int32Array.from(folded.words));
      this.known.add(id);
      this.seeds.push({ id, ...info, leaf, path });
      const tensor = this.backend.createOutputTensor({ id, ...info });
      seedsByPath.set(place, tensor);
      return tensor;
    });
  }

  /** What has been recorded so far. */
  program(): Pick<Program, 'ops' | 'constants' | 'seeds' | 'captures'> {
    const { ops, constants, seeds, captures } = this;
    return { ops, constants, seeds, captures };
  }

  /** A tensor's id, also of one that only the host holds so far. */
  idOf(tensor: Tensor): number {
    return this.backend.getInputTensorIds([tensor])[0]!;
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

  private listeningBinding(): Native {
    const { native } = this;
    const listening: Partial<Native> & { runSavedModel(): never } = {
      executeOp: (op, attributes, inputs, outputCount) => {
        if (opDefinition(op).getIsStateful() && !pureStatefulOps.has(op)) {
          this.refuse(
            `the op ${op}`,
            'its result depends on more than its inputs; random ops take their seed from a Key',
          );
        }
        const outputs = native.executeOp(op, attributes, inputs, outputCount);
        this.ops.push({ op, attributes: [...attributes], inputs: [...inputs], outputs, origin: new Error(op) });
        for (const { id } of outputs) this.known.add(id);
        return outputs;
      },
      createTensor: (shape, dtype, values) => {
        if (dtype === DataType.uint8) {
          this.refuse(
            'uploading bytes',
            'every call would get the same ones; upload them before and pass the tensor in',
          );
        }
        const id = native.createTensor(shape, dtype, values);
        this.known.add(id);
        this.constants.push(this.keepConstant({ id, shape: [...shape], dtype }, values));
        return id;
      },
      tensorDataSync: () => this.refuse(...hostRead),
      runAsync: () => this.refuse('a compiled step', 'call the plain step there, and it becomes part of this one'),
      runSavedModel: () => this.refuse('a saved model', 'its ops cannot be recorded'),
    };
    // The addon's own properties are read-only, so they are shadowed rather than replaced.
    return Object.create(native, Object.getOwnPropertyDescriptors(listening)) as Native;
  }

  private keepConstant(info: TensorInfo, values: ArrayBufferView | Uint8Array[]): Constant {
    const origin = new Error('constant');
    if (ArrayBuffer.isView(values) && values.byteLength <= largestConstant) {
      return { ...info, origin, bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength).slice() };
    }
    return { ...info, origin, bytes: undefined, held: this.native.createTensor(info.shape, info.dtype, values) };
  }

  private refuseUnusable(tensor: Tensor): void {
    if (tensor.isDisposed) this.refuse('a disposed tensor', 'keep it until the step is recorded');
    if (tensor instanceof tf.Variable) {
      this.refuse('a tf.Variable', 'its value may change from call to call; pass it in, and return what it becomes');
    }
  }

  private capture(id: number, { dataId, shape, dtype }: Tensor): void {
    const { dtype: nativeType } = this.backend.tensorMap.get(dataId);
    this.known.add(id);
    this.backend.incRef(dataId);
    const tensor = tf.keep(tf.engine().makeTensorFromTensorInfo({ dataId, shape, dtype }) as Tensor);
    this.captures.push({ id, shape: [...shape], dtype: nativeType, tensor });
  }

  /** The refusal of something at the line that is running now; the first is the one that is thrown in the end. */
  private refusal(what: string, why: string): CompileError {
    const { call, line } = callSite(new Error().stack);
    const error = new CompileError(`${what} cannot be part of ${this.name}: ${why}\n    at ${call} (${line})`);
    this.refused ??= error;
    return error;
  }

  private refuse(what: string, why: string): never {
    throw this.refusal(what, why);
  }
}

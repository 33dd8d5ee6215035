import type { Key } from '../../base/index.js';
import { currentCluster, takeInstanceKeys } from '../collectives/cluster.js';
import { describeLostWorker, LostWorkerError } from '../collectives/failure.js';
import { hasCustomOps } from '../custom-ops.js';
import { attributeTypes, type Tensor } from '../runtime.js';
import { callSite } from './errors.js';
import { functionDef, nodeName } from './function-def.js';
import { nodeBackend } from './native.js';
import type { Program } from './program.js';
import { reusingInputs } from './reuse.js';

let functionsMade = 0;

/** A program that TensorFlow knows as a function. It lives until `dispose`, and then until its last run has ended. */
export class CompiledFunction {
  private readonly name: string;
  private running = 0;
  private disposed = false;

  private readonly release: () => void;
  private readonly program: Program;
  /** Numbers of the inputs that a run writes to. */
  private readonly reused: ReadonlySet<number>;

  /**
   * @param stepName for errors and profiles
   * @param options.release is called when the program is needed no more
   * @param options.writable numbers of the inputs that a run may write to
   */
  constructor(
    private readonly stepName: string,
    program: Program,
    { release, xla, writable }: { release: () => void; xla: boolean; writable: readonly number[] },
  ) {
    this.release = release;
    this.name = `pathlab_${stepName.replace(/\W/g, '_')}_${functionsMade++}`;
    // The op that writes is one of pathlab's own, which XLA cannot compile.
    const reusing = reusingInputs(program, hasCustomOps() && !xla ? writable : []);
    this.program = reusing.program;
    this.reused = new Set(reusing.reused);
    nodeBackend().binding.addFunctionDef(functionDef(this.program, { name: this.name, xla }));
  }

  /**
   * Runs on a thread of its own. The inputs may be disposed of as soon as this returns; those that may be written to
   * must be.
   *
   * @param inputs in the program's order
   * @param keys by the number of their leaf
   * @returns the program's outputs, the caller's to dispose of
   * @throws Error with the op that failed, TensorFlow's reason and the line that called the op
   */
  async run(inputs: Tensor[], keys: ReadonlyMap<number, Key>): Promise<Tensor[]> {
    const backend = nodeBackend();
    const { binding } = backend;
    const { program } = this;
    /** Native tensors of this run only. */
    const own: number[] = [];
    const begin = () => {
      const seeds = program.seeds.map(({ leaf, path, shape, dtype }) => {
        const folded = path.reduce((key, data) => key.fold(data), keys.get(leaf)!);
        return binding.createTensor(shape, dtype, Int32Array.from(folded.words));
      });
      const instanceKeys = takeInstanceKeys(program.instanceKeys.length).map((key, place) =>
        binding.createTensor([], program.instanceKeys[place]!.dtype, Int32Array.of(key)),
      );
      own.push(...seeds, ...instanceKeys);
      const ids = [
        ...this.writableIds(inputs, own),
        ...seeds,
        ...instanceKeys,
        ...backend.getInputTensorIds(program.captures.map(({ tensor }) => tensor)),
        ...program.constants.flatMap(({ held }) => (held === undefined ? [] : [held])),
      ];
      return binding.runAsync(this.name, [], ids, program.outputs.length);
    };
    this.running++;
    try {
      let run: ReturnType<typeof begin>;
      try {
        run = begin();
      } finally {
        // The run holds its own references.
        for (const id of own) binding.deleteTensor(id);
      }
      return (await run).map((info) => backend.createOutputTensor(info));
    } catch (error) {
      throw this.explain(error as Error);
    } finally {
      this.running--;
      this.freeIfDone();
    }
  }

  /**
   * The native ids of the inputs. Those that the run writes to are given memory of their own; what somebody else uses
   * too, under the same id, goes in as a copy.
   *
   * @param copies gets the copies' ids
   */
  private writableIds(inputs: readonly Tensor[], copies: number[]): number[] {
    const backend = nodeBackend();
    const { binding } = backend;
    const uses = new Map<object, number>();
    for (const { dataId } of inputs) uses.set(dataId, (uses.get(dataId) ?? 0) + 1);
    const ids = backend.getInputTensorIds([...inputs]).map((id, place) => {
      const { dataId } = inputs[place]!;
      if (!this.reused.has(place) || (backend.refCount(dataId) === 1 && uses.get(dataId) === 1)) return id;
      const type = { name: 'T', type: attributeTypes.type, value: backend.tensorMap.get(dataId).dtype };
      const [copy] = binding.executeOp('DeepCopy', [type], [id], 1);
      copies.push(copy!.id);
      return copy!.id;
    });
    binding.ownTensors([...this.reused].map((place) => ids[place]!));
    return ids;
  }

  dispose(): void {
    this.disposed = true;
    this.freeIfDone();
  }

  private freeIfDone(): void {
    if (!this.disposed || this.running > 0) return;
    nodeBackend().binding.removeFunction(this.name);
    this.release();
  }

  /** TensorFlow names the node that failed; the recording knows who called it. */
  private explain(error: Error): Error {
    const nodes = new Map(this.program.ops.map((op, place) => [nodeName(op, place), op]));
    const failed = (error.message.match(/\w+_\d+/g) ?? []).map((name) => nodes.get(name)).find((op) => op);
    const lost = this.program.instanceKeys.length > 0 ? describeLostWorker(error, currentCluster()) : undefined;
    const reason = lost ?? error.message.replace(`${this.name}: `, '').split('\n')[0];
    const where = failed ? `the op ${failed.op}, called at ${callSite(failed.origin.stack).line}, failed: ` : '';
    const message = `the compiled ${this.stepName} failed: ${where}${reason}`;
    return lost === undefined ? new Error(message, { cause: error }) : new LostWorkerError(message, { cause: error });
  }
}

import type { Key } from '../../runs/index.js';
import type { Tensor } from '../runtime.js';
import { callSite } from './errors.js';
import { functionDef, nodeName } from './function-def.js';
import { nodeBackend } from './native.js';
import type { Program } from './program.js';

let functionsMade = 0;

/** A program that TensorFlow knows as a function. It lives until `dispose`, and then until its last run has ended. */
export class CompiledFunction {
  private readonly name: string;
  private running = 0;
  private disposed = false;

  private readonly release: () => void;

  /**
   * @param stepName for errors and profiles
   * @param options.release is called when the program is needed no more
   */
  constructor(
    private readonly stepName: string,
    private readonly program: Program,
    { release, xla }: { release: () => void; xla: boolean },
  ) {
    this.release = release;
    this.name = `pathlab_${stepName.replace(/\W/g, '_')}_${functionsMade++}`;
    nodeBackend().binding.addFunctionDef(functionDef(program, { name: this.name, xla }));
  }

  /**
   * Runs on a thread of its own. The inputs may be disposed of as soon as this returns.
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
    const seeds = program.seeds.map(({ leaf, path, shape, dtype }) => {
      const folded = path.reduce((key, data) => key.fold(data), keys.get(leaf)!);
      return binding.createTensor(shape, dtype, Int32Array.from(folded.words));
    });
    const ids = [
      ...backend.getInputTensorIds(inputs),
      ...seeds,
      ...backend.getInputTensorIds(program.captures.map(({ tensor }) => tensor)),
      ...program.constants.flatMap(({ held }) => (held === undefined ? [] : [held])),
    ];
    this.running++;
    try {
      const run = binding.runAsync(this.name, [], ids, program.outputs.length);
      // The run holds its own references.
      for (const seed of seeds) binding.deleteTensor(seed);
      return (await run).map((info) => backend.createOutputTensor(info));
    } catch (error) {
      throw this.explain(error as Error);
    } finally {
      this.running--;
      this.freeIfDone();
    }
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
    const reason = error.message.replace(`${this.name}: `, '').split('\n')[0];
    const where = failed ? `the op ${failed.op}, called at ${callSite(failed.origin.stack).line}, failed: ` : '';
    return new Error(`the compiled ${this.stepName} failed: ${where}${reason}`, { cause: error });
  }
}

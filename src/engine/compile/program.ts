import { type Attribute, attributeTypes, type Tensor } from '../runtime.js';
import type { FoldPath } from './keys.js';
import type { TensorInfo } from './native.js';

/** One op of a recorded step. Values are named by the ids that they have in the recording's trace. */
export interface RecordedOp {
  op: string;
  attributes: readonly Attribute[];
  inputs: readonly number[];
  outputs: readonly TensorInfo[];
  /** Whether it stays in float32 whatever the step's precision (see `inFullPrecision`). */
  isFull?: boolean;
  /** Made where the op was called: its stack names the author's line. */
  origin: Error;
}

/** A tensor made from numbers on the host while the step was recorded. */
export interface Constant extends TensorInfo {
  bytes: Uint8Array | undefined;
  /** The native tensor that holds it where it is not written into the program. */
  held?: number;
  origin: Error;
}

/** A random op's seed: one of the keys that the step was given, folded. */
export interface Seed extends TensorInfo {
  /** The key's number among the leaves of the step's inputs. */
  leaf: number;
  path: FoldPath;
}

/** The number of one collective among all of a cluster's, int32; a run takes the next ones. */
export type InstanceKey = TensorInfo;

/** A tensor from outside that the step uses. */
export interface Capture extends TensorInfo {
  /** Keeps its values alive. */
  tensor: Tensor;
}

/** A recorded step: straight-line code over values. */
export interface Program {
  inputs: TensorInfo[];
  seeds: Seed[];
  instanceKeys: InstanceKey[];
  captures: Capture[];
  constants: Constant[];
  ops: RecordedOp[];
  /** Ids of the values that it gives. */
  outputs: number[];
}

/** All that a program has before its first op. */
export function givenValues({ inputs, seeds, instanceKeys, captures, constants }: Program): TensorInfo[] {
  return [...inputs, ...seeds, ...instanceKeys, ...captures, ...constants];
}

/** An id above all that the program uses. */
export function firstFreeId(program: Program): number {
  const infos = [...givenValues(program), ...program.ops.flatMap(({ outputs }) => outputs)];
  return 1 + infos.reduce((largest, { id }) => Math.max(largest, id), -1);
}

/** Gives a value in another dtype. */
export function castOp(from: number, to: TensorInfo, origin: Error): RecordedOp {
  const attributes = [{ name: 'DstT', type: attributeTypes.type, value: to.dtype }];
  return { op: 'Cast', attributes, inputs: [from], outputs: [to], origin };
}

const collectives = new Set([
  'CollectiveReduceV2',
  'CollectiveGatherV2',
  'PathlabSumOfProcesses',
  'PathlabGatherOfProcesses',
]);

/** Whether an op needs all processes of a cluster: they wait for each other in it. */
export function isCollective({ op }: Pick<RecordedOp, 'op'>): boolean {
  return collectives.has(op);
}

/** The program without what its outputs do not need. Inputs all stay, and collectives, for which others wait. */
export function withoutUnused(program: Program): Program {
  const needed = new Set(program.outputs);
  const ops = [...program.ops]
    .reverse()
    .filter((recorded) => {
      const { inputs, outputs } = recorded;
      if (!(isCollective(recorded) || outputs.some(({ id }) => needed.has(id)))) return false;
      for (const id of inputs) needed.add(id);
      return true;
    })
    .reverse();
  const isNeeded = ({ id }: TensorInfo) => needed.has(id);
  return {
    ...program,
    ops,
    seeds: program.seeds.filter(isNeeded),
    instanceKeys: program.instanceKeys.filter(isNeeded),
    captures: program.captures.filter(isNeeded),
    constants: program.constants.filter(isNeeded),
  };
}

/** Ids of all values that change with the inputs, the keys or what other processes give. */
export function dependentValues({ inputs, seeds, instanceKeys, ops }: Program): Set<number> {
  const dependent = new Set([...inputs, ...seeds, ...instanceKeys].map(({ id }) => id));
  for (const op of ops) {
    if (op.inputs.some((id) => dependent.has(id))) for (const { id } of op.outputs) dependent.add(id);
  }
  return dependent;
}

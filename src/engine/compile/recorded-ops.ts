import { attributeTypes } from '../runtime.js';
import { callSite } from './errors.js';
import { DataType, groupByArgument, opDefinition, type TensorInfo } from './native.js';
import { inPrecision, type Precision } from './precision.js';
import { givenValues } from './program.js';
import { record } from './record.js';
import { leavesOf } from './tree.js';

/** One op of a step as it would be compiled. */
export interface OpUse {
  op: string;
  /** TensorFlow's `DataType` by type attribute: `T`, `SrcT`. */
  types: Record<string, number[]>;
  /** `file:line:column` of the step's author. */
  line: string;
}

/**
 * The ops that a compiled step runs, without running it.
 *
 * @throws CompileError if the step cannot be recorded
 */
export function recordedOps<Inputs extends unknown[]>(
  name: string,
  step: (...inputs: Inputs) => unknown,
  inputs: Inputs,
  precision: Precision = 'float32',
): OpUse[] {
  const { program, release } = record(name, step, inputs, leavesOf(inputs, `${name}: input`));
  try {
    const lowered = inPrecision(program, precision);
    const infos = new Map(givenValues(lowered).map((info) => [info.id, info]));
    return lowered.ops.map(({ op, attributes, inputs, outputs, origin }) => {
      const types: Record<string, number[]> = {};
      for (const attribute of opDefinition(op).getAttrList()) {
        const fallback = attribute.getDefaultValue();
        if (attribute.getType() === 'type' && fallback) types[attribute.getName()] = [fallback.getType()];
      }
      for (const { name, type, value } of attributes) if (type === attributeTypes.type) types[name] = [value as number];
      const used = inputs.map((id) => infos.get(id)!);
      Object.assign(types, typesOf(op, used));
      for (const info of outputs) infos.set(info.id, info);
      return { op, types, line: callSite(origin.stack).line };
    });
  } finally {
    release();
  }
}

/** What an op's inputs say of its type attributes. */
function typesOf(op: string, inputs: readonly TensorInfo[]): Record<string, number[]> {
  const types: Record<string, number[]> = {};
  for (const { arg, values } of groupByArgument(opDefinition(op).getInputArgList(), inputs)) {
    const dtypes = values.map(({ dtype }) => dtype);
    if (arg.getTypeListAttr()) types[arg.getTypeListAttr()] = dtypes;
    else if (arg.getTypeAttr() && dtypes.length > 0) types[arg.getTypeAttr()] = [dtypes[0]!];
  }
  return types;
}

/** `float32`; the number where TensorFlow's type has no name here. */
export function nameOfType(type: number): string {
  return Object.entries(DataType).find(([, number]) => number === type)?.[0] ?? `type ${type}`;
}

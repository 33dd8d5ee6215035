import { type Attribute, attributeTypes } from '../runtime.js';
import { CompileError, callSite } from './errors.js';
import { DataType, groupByArgument, opDefinition, type TensorInfo } from './native.js';
import { castOp, firstFreeId, givenValues, type Program, type RecordedOp } from './program.js';

/**
 * Computes a recorded step in float64, so that central differences tell a wrong gradient from rounding. Inputs,
 * constants and outputs stay float32 and are widened and rounded at the borders; random ops draw their float32 numbers.
 *
 * @throws CompileError for an op that TensorFlow defines without float64, naming its line
 */
export function inFloat64(program: Program): Program {
  const infos = new Map(givenValues(program).map((info) => [info.id, info]));
  /** The float64 value of a float32 value. */
  const doubleOf = new Map<number, TensorInfo>();
  const ops: RecordedOp[] = [];
  let nextId = firstFreeId(program);

  const cast = (from: TensorInfo, dtype: number, origin: Error): TensorInfo => {
    const to = { ...from, id: nextId++, dtype };
    ops.push(castOp(from.id, to, origin));
    return to;
  };
  const widened = (id: number, origin: Error): number => {
    const info = infos.get(id)!;
    if (info.dtype !== DataType.float32) return id;
    if (!doubleOf.has(id)) doubleOf.set(id, cast(info, DataType.float64, origin));
    return doubleOf.get(id)!.id;
  };

  for (const recorded of program.ops) {
    for (const info of recorded.outputs) infos.set(info.id, info);
    if (recorded.op.startsWith('Stateless')) {
      // Its inputs are a seed and a shape, which have no float64 form.
      ops.push(recorded);
      continue;
    }
    refuseSingleOnly(
      recorded,
      recorded.inputs.map((id) => infos.get(id)!),
    );
    const { origin } = recorded;
    const inputs = recorded.inputs.map((id) => widened(id, origin));
    const outputs = recorded.outputs.map((info) => {
      if (info.dtype !== DataType.float32) return info;
      const double = { ...info, id: nextId++, dtype: DataType.float64 };
      doubleOf.set(info.id, double);
      return double;
    });
    ops.push({ ...recorded, inputs, outputs, attributes: recorded.attributes.map(widenedAttribute) });
  }
  const nowhere = new Error('the output of the step');
  const outputs = program.outputs.map((id) => {
    const double = doubleOf.get(id);
    return double ? cast(double, DataType.float32, nowhere).id : id;
  });
  return { ...program, ops, outputs };
}

function widenedAttribute(attribute: Attribute): Attribute {
  const isFloat = attribute.type === attributeTypes.type && attribute.value === DataType.float32;
  return isFloat ? { ...attribute, value: DataType.float64 } : attribute;
}

/** @param inputs of the op */
function refuseSingleOnly({ op, outputs, origin }: RecordedOp, inputs: TensorInfo[]): void {
  const definition = opDefinition(op);
  const args = [
    ...groupByArgument(definition.getInputArgList(), inputs),
    ...groupByArgument(definition.getOutputArgList(), outputs),
  ].filter(({ values }) => values.some(({ dtype }) => dtype === DataType.float32));
  const isDoubleAllowed = (name: string) => {
    const attribute = definition.getAttrList().find((attribute) => attribute.getName() === name);
    const allowed = attribute?.getAllowedValues()?.getList()?.getTypeList() ?? [];
    return allowed.length === 0 || allowed.includes(DataType.float64);
  };
  const single = args.find(
    ({ arg }) =>
      arg.getType() === DataType.float32 || (arg.getTypeAttr() !== '' && !isDoubleAllowed(arg.getTypeAttr())),
  );
  if (!single) return;
  const { call, line } = callSite(origin.stack);
  throw new CompileError(`TensorFlow has no float64 form of the op ${op}\n    at ${call} (${line})`);
}

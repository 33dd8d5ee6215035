import {
  type ArgDef,
  type AttrValue,
  groupByArgument,
  type NodeDef,
  opDefinition,
  proto,
  type TensorInfo,
  type TensorShape,
} from './native.js';
import { type Constant, isCollective, type Program, type RecordedOp } from './program.js';

/** Ways to write a program down. */
export interface FunctionOptions {
  name: string;
  /** Compile it with XLA. */
  xla: boolean;
}

/**
 * Writes a program as a TensorFlow function (`FunctionDef`, serialized). Its arguments are the program's inputs,
 * seeds, instance keys, captures and held constants, in that order; the names of its nodes are those of `nodeName`.
 * Control edges keep collectives in the order of their calls, which is then the same in all processes.
 */
export function functionDef(program: Program, { name, xla }: FunctionOptions): Uint8Array {
  const messages = proto();
  /** How a function's body refers to each value: an argument's name or `node:output:index`. */
  const references = new Map<number, string>();
  const infos = new Map<number, TensorInfo>();
  const define = (info: TensorInfo, reference: string) => {
    infos.set(info.id, info);
    references.set(info.id, reference);
  };

  const argument = (name: string, dtype: number): ArgDef => {
    const definition = new messages.OpDef.ArgDef();
    definition.setName(name);
    definition.setType(dtype);
    return definition;
  };
  const inputArguments = argumentsOf(program).map((info, place) => {
    define(info, `input_${place}`);
    return argument(`input_${place}`, info.dtype);
  });

  const nodes: NodeDef[] = [];
  let lastCollective: string | undefined;
  for (const [place, constant] of program.constants.filter(({ bytes }) => bytes).entries()) {
    nodes.push(constantNode(`constant_${place}`, constant));
    define(constant, `constant_${place}:output:0`);
  }
  for (const [place, recorded] of program.ops.entries()) {
    const node = nodeName(recorded, place);
    const after = isCollective(recorded) && lastCollective !== undefined ? [`^${lastCollective}`] : [];
    if (isCollective(recorded)) lastCollective = node;
    nodes.push(writeNode(node, recorded, after, infos, references));
    for (const { arg, values } of groupByArgument(opDefinition(recorded.op).getOutputArgList(), recorded.outputs)) {
      for (const [index, info] of values.entries()) define(info, `${node}:${arg.getName()}:${index}`);
    }
  }

  const definition = new messages.FunctionDef();
  const signature = new messages.OpDef();
  signature.setName(name);
  signature.setInputArgList(inputArguments);
  signature.setOutputArgList(
    program.outputs.map((id, place) => {
      definition.getRetMap().set(`output_${place}`, references.get(id)!);
      return argument(`output_${place}`, infos.get(id)!.dtype);
    }),
  );
  definition.setSignature(signature);
  definition.setNodeDefList(nodes);
  if (xla) definition.getAttrMap().set('_XlaMustCompile', attributeValue('bool', true));
  return definition.serializeBinary();
}

/** What a call of the function is given, in order. */
function argumentsOf({ inputs, seeds, instanceKeys, captures, constants }: Program): TensorInfo[] {
  return [...inputs, ...seeds, ...instanceKeys, ...captures, ...constants.filter(({ bytes }) => !bytes)];
}

export function nodeName({ op }: RecordedOp, place: number): string {
  return `${op}_${place}`;
}

/**
 * An op with its attributes: what its inputs say, then what was recorded, then TensorFlow's defaults.
 *
 * @param after control edges
 */
function writeNode(
  name: string,
  recorded: RecordedOp,
  after: readonly string[],
  infos: ReadonlyMap<number, TensorInfo>,
  references: ReadonlyMap<number, string>,
): NodeDef {
  const definition = opDefinition(recorded.op);
  const node = new (proto().NodeDef)();
  node.setName(name);
  node.setOp(recorded.op);
  const inputs = recorded.inputs.map((id) => {
    const reference = references.get(id);
    if (reference === undefined) throw new Error(`${name} reads a tensor that no recorded op produces`);
    return reference;
  });
  node.setInputList([...inputs, ...after]);

  const inferred = new Map<string, AttrValue>();
  const types = recorded.inputs.map((id) => infos.get(id)!.dtype);
  for (const { arg, values } of groupByArgument(definition.getInputArgList(), types)) {
    if (arg.getNumberAttr()) inferred.set(arg.getNumberAttr(), attributeValue('int', values.length));
    if (arg.getTypeListAttr()) inferred.set(arg.getTypeListAttr(), attributeValue('list(type)', values));
    else if (arg.getTypeAttr() && values.length > 0) inferred.set(arg.getTypeAttr(), attributeValue('type', values[0]));
  }

  const given = new Map(recorded.attributes.map((attribute) => [attribute.name, attribute]));
  for (const attribute of definition.getAttrList()) {
    const key = attribute.getName();
    const own = given.get(key);
    const value =
      inferred.get(key) ?? (own ? attributeValue(attribute.getType(), own.value) : attribute.getDefaultValue());
    if (!value) throw new Error(`${name} was recorded without its attribute ${key}`);
    node.getAttrMap().set(key, value);
  }
  return node;
}

export function constantNode(
  name: string,
  { dtype, shape, bytes }: Pick<Constant, 'dtype' | 'shape' | 'bytes'>,
): NodeDef {
  const messages = proto();
  const tensor = new messages.Tensor();
  tensor.setDtype(dtype);
  tensor.setTensorShape(tensorShape(shape));
  tensor.setTensorContent(Buffer.from(bytes!).toString('base64'));
  const value = new messages.AttrValue();
  value.setTensor(tensor);
  const node = new messages.NodeDef();
  node.setName(name);
  node.setOp('Const');
  node.setInputList([]);
  node.getAttrMap().set('dtype', attributeValue('type', dtype));
  node.getAttrMap().set('value', value);
  return node;
}

export function tensorShape(sizes: readonly number[]): TensorShape {
  const messages = proto();
  const shape = new messages.TensorShape();
  shape.setDimList(
    sizes.map((size) => {
      const dimension = new messages.TensorShape.Dim();
      dimension.setSize(size);
      return dimension;
    }),
  );
  return shape;
}

/** @param type as op definitions write it: `int`, `list(int)` */
export function attributeValue(type: string, value: unknown): AttrValue {
  const messages = proto();
  const attribute = new messages.AttrValue();
  if (type.startsWith('list(')) {
    const list = new messages.AttrValue.ListValue();
    if (type === 'list(int)') list.setIList(value as number[]);
    else if (type === 'list(float)') list.setFList(value as number[]);
    else if (type === 'list(bool)') list.setBList(value as boolean[]);
    else if (type === 'list(type)') list.setTypeList(value as number[]);
    else throw new Error(`an attribute of type ${type} cannot be compiled`);
    attribute.setList(list);
  } else if (type === 'string') attribute.setS(Buffer.from(value as string).toString('base64'));
  else if (type === 'int') attribute.setI(value as number);
  else if (type === 'float') attribute.setF(value as number);
  else if (type === 'bool') attribute.setB(value as boolean);
  else if (type === 'type') attribute.setType(value as number);
  else if (type === 'shape') attribute.setShape(tensorShape(value as number[]));
  else throw new Error(`an attribute of type ${type} cannot be compiled`);
  return attribute;
}

import { createRequire } from 'node:module';
import { type Attribute, type Tensor, tf } from '../runtime.js';

/** Numbers of TensorFlow's `DataType`, in protobuf and in the C API. */
export const DataType = {
  float32: 1,
  float64: 2,
  int32: 3,
  uint8: 4,
  string: 7,
  int64: 9,
  bool: 10,
  bfloat16: 14,
  float16: 19,
} as const;

/** A tensor as the native side knows it. */
export interface TensorInfo {
  id: number;
  shape: number[];
  /** TensorFlow's `DataType`. */
  dtype: number;
}

/** tfjs-node's native addon with pathlab's extension (kernel-setup/native/addon). */
export interface Native {
  createTensor(shape: number[], dtype: number, values: ArrayBufferView | Uint8Array[]): number;
  deleteTensor(id: number): void;
  tensorDataSync(id: number): ArrayBufferView;
  executeOp(op: string, attributes: Attribute[], inputs: number[], outputCount: number): TensorInfo[];
  runAsync(op: string, attributes: Attribute[], inputs: number[], outputCount: number): Promise<TensorInfo[]>;
  addFunctionDef(bytes: Uint8Array): void;
  removeFunction(name: string): void;
  /** Gives each tensor memory that nothing else holds. */
  ownTensors(ids: readonly number[]): void;
  opList(): Uint8Array;
  kernelsForOp(op: string): Uint8Array;
  beginTrace(): Trace;
  /** These give no tensors, but what TensorFlow infers of them; ids count within the trace. */
  traceInput(trace: Trace, dtype: number, shape: readonly number[]): [TensorInfo];
  traceConstant(trace: Trace, dtype: number, shape: readonly number[], elements: Uint8Array): [TensorInfo];
  traceOp(trace: Trace, op: string, attributes: readonly Attribute[], inputs: (number | number[])[]): TracedOutput[];
}

/** A graph of ops that is never run. */
export type Trace = { readonly trace: unique symbol };

/** What an op would give; the shape is null where it depends on values. */
type TracedOutput = Omit<TensorInfo, 'shape'> & { shape: number[] | null };

/** The parts of tfjs-node's backend that recording listens to. */
export interface NodeBackend {
  binding: Native;
  getInputTensorIds(tensors: Tensor[]): number[];
  createOutputTensor(info: TensorInfo): Tensor;
  read(dataId: object): Promise<ArrayBufferView>;
  incRef(dataId: object): void;
  refCount(dataId: object): number;
  /** What is behind each tensor; its dtype is TensorFlow's own, where tfjs shows uint8 as int32. */
  tensorMap: { get(dataId: object): { dtype: number } };
}

export function nodeBackend(): NodeBackend {
  const backend = tf.backend() as unknown as NodeBackend;
  if (typeof backend.binding.traceOp !== 'function') {
    throw new Error(
      "the TensorFlow addon is not pathlab's, or an older one, so nothing can be compiled; run `npm run setup`",
    );
  }
  return backend;
}

/** TensorFlow's protobuf messages, as far as function definitions need them. tfjs-node ships them without types. */
export interface Proto {
  AttrValue: { new (): AttrValue; ListValue: new () => ListValue };
  FunctionDef: { new (): FunctionDef; deserializeBinary(bytes: Uint8Array): FunctionDef };
  NodeDef: new () => NodeDef;
  OpDef: { new (): OpDef; ArgDef: new () => ArgDef };
  OpList: { deserializeBinary(bytes: Uint8Array): { getOpList(): OpDef[] } };
  Tensor: new () => TensorProto;
  TensorShape: { new (): TensorShape; Dim: new () => { setSize(size: number): void } };
  // Of a SavedModel.
  FunctionDefLibrary: new () => { setFunctionList(functions: FunctionDef[]): void };
  GraphDef: new () => GraphDef;
  MetaGraphDef: { new (): MetaGraphDef; MetaInfoDef: new () => { setTagsList(tags: string[]): void } };
  NameAttrList: new () => { setName(name: string): void };
  SavedModel: new () => SavedModel;
  SignatureDef: new () => SignatureDef;
  TensorInfo: new () => TensorInfoProto;
  VersionDef: new () => { setProducer(version: number): void };
}

interface GraphDef {
  setNodeList(nodes: NodeDef[]): void;
  setLibrary(library: unknown): void;
  setVersions(versions: unknown): void;
}

interface MetaGraphDef {
  setMetaInfoDef(info: unknown): void;
  setGraphDef(graph: GraphDef): void;
  getSignatureDefMap(): { set(name: string, value: SignatureDef): void };
}

interface SavedModel {
  setSavedModelSchemaVersion(version: number): void;
  setMetaGraphsList(graphs: MetaGraphDef[]): void;
  serializeBinary(): Uint8Array;
}

interface SignatureDef {
  setMethodName(name: string): void;
  getInputsMap(): { set(name: string, value: TensorInfoProto): void };
  getOutputsMap(): { set(name: string, value: TensorInfoProto): void };
}

interface TensorInfoProto {
  setName(name: string): void;
  setDtype(dtype: number): void;
  setTensorShape(shape: TensorShape): void;
}

export interface AttrValue {
  getList(): ListValue | undefined;
  getType(): number;
  setList(list: ListValue): void;
  /** Base64. */
  setS(value: string): void;
  setI(value: number): void;
  setF(value: number): void;
  setB(value: boolean): void;
  setType(value: number): void;
  setShape(value: TensorShape): void;
  setTensor(value: TensorProto): void;
  setFunc(value: unknown): void;
}

interface ListValue {
  getTypeList(): number[];
  setIList(values: number[]): void;
  setFList(values: number[]): void;
  setBList(values: boolean[]): void;
  setTypeList(values: number[]): void;
}

export interface TensorShape {
  setDimList(sizes: unknown[]): void;
}

interface TensorProto {
  setDtype(dtype: number): void;
  setTensorShape(shape: TensorShape): void;
  /** Base64. */
  setTensorContent(content: string): void;
}

export interface ArgDef {
  getName(): string;
  setName(name: string): void;
  getType(): number;
  setType(dtype: number): void;
  getTypeAttr(): string;
  getNumberAttr(): string;
  getTypeListAttr(): string;
}

export interface OpDef {
  getName(): string;
  setName(name: string): void;
  getInputArgList(): ArgDef[];
  setInputArgList(args: ArgDef[]): void;
  getOutputArgList(): ArgDef[];
  setOutputArgList(args: ArgDef[]): void;
  getAttrList(): AttrDef[];
  getIsStateful(): boolean;
}

interface AttrDef {
  getName(): string;
  getType(): string;
  getDefaultValue(): AttrValue | undefined;
  /** The values that the op takes; none where it takes all. */
  getAllowedValues(): AttrValue | undefined;
}

export interface NodeDef {
  setName(name: string): void;
  setOp(op: string): void;
  setInputList(inputs: string[]): void;
  getAttrMap(): { set(name: string, value: AttrValue): void };
}

interface FunctionDef {
  setSignature(signature: OpDef): void;
  setNodeDefList(nodes: NodeDef[]): void;
  getRetMap(): { set(output: string, value: string): void };
  getAttrMap(): { set(name: string, value: AttrValue): void };
  serializeBinary(): Uint8Array;
}

let loaded: Proto | undefined;

export function proto(): Proto {
  loaded ??= createRequire(import.meta.url)('@tensorflow/tfjs-node-gpu/dist/proto/api_pb.js') as Proto;
  return loaded;
}

let definitions: Map<string, OpDef> | undefined;

/** TensorFlow's own definition of an op. */
export function opDefinition(op: string): OpDef {
  definitions ??= new Map(
    proto()
      .OpList.deserializeBinary(new Uint8Array(nodeBackend().binding.opList()))
      .getOpList()
      .map((definition) => [definition.getName(), definition]),
  );
  const definition = definitions.get(op);
  if (!definition) {
    const remedy = op.startsWith('Pathlab') ? '; set-up has not built it yet: run `npm run setup`' : '';
    throw new Error(`TensorFlow knows no op named ${op}${remedy}`);
  }
  return definition;
}

/**
 * Sorts an op's inputs or outputs by the arguments of its definition. No op that tfjs runs has two lists of different
 * lengths on one side.
 */
export function groupByArgument<Value>(
  args: readonly ArgDef[],
  values: readonly Value[],
): { arg: ArgDef; isList: boolean; values: Value[] }[] {
  const isList = (arg: ArgDef) => arg.getNumberAttr() !== '' || arg.getTypeListAttr() !== '';
  const lists = args.filter(isList).length;
  const listLength = (values.length - (args.length - lists)) / lists;
  let next = 0;
  return args.map((arg) => {
    const own = values.slice(next, next + (isList(arg) ? listLength : 1));
    next += own.length;
    return { arg, isList: isList(arg), values: own };
  });
}

import { inFloat64 } from './float64.js';
import { type ArgDef, DataType, groupByArgument, opDefinition, type TensorInfo } from './native.js';
import { castOp, firstFreeId, givenValues, type Program, type RecordedOp } from './program.js';

/**
 * What a compiled step computes in. Its inputs, outputs and with them the weights stay float32. float16 is for GPUs
 * without bfloat16: its range is small, so a step takes its gradients with a scaled loss (`dynamicLossScaling`).
 * float64 is slow, and is for checking gradients (see `inFloat64`).
 */
export type Precision = (typeof precisions)[number];

export const precisions = ['float32', 'bfloat16', 'float16', 'float64'] as const;

/**
 * Always in low precision: where the time goes, and where sums are kept in float32 inside the op. Statistics and
 * parameters of batch norm stay float32.
 */
const alwaysLow = new Set([
  'BatchMatMulV2',
  'BiasAdd',
  'Conv2D',
  'Conv2DBackpropFilter',
  'Conv2DBackpropInput',
  'DepthwiseConv2dNative',
  'DepthwiseConv2dNativeBackpropFilter',
  'DepthwiseConv2dNativeBackpropInput',
  'FusedBatchNormGradV3',
  'FusedBatchNormV3',
  'MatMul',
  'PathlabBatchNorm',
  'PathlabBatchNormGrad',
  'PathlabBatchNormGradWithOutput',
  'PathlabJoinedBatchNorm',
  'PathlabJoinedBatchNormGrad',
  'PathlabRowGradientSums',
  'PathlabRowStatistics',
]);

/**
 * In low precision if low-precision ops made all that goes in, but for numbers written in the step: they move numbers
 * about, or lose no more than their inputs have lost.
 */
const followInputs = new Set([
  'Add',
  'AddN',
  'AddV2',
  'AvgPool',
  'AvgPoolGrad',
  'ConcatV2',
  'ExpandDims',
  'Identity',
  'MaxPool',
  'MaxPoolGrad',
  'Pad',
  'PadV2',
  'PathlabAttention',
  'PathlabAttentionGrad',
  'PathlabBiasGelu',
  'PathlabBiasGeluGrad',
  'PathlabBiasGeluTanh',
  'PathlabBiasGeluTanhGrad',
  'PathlabBiasRelu',
  'PathlabBiasReluGrad',
  'PathlabLayerNorm',
  'PathlabLayerNormGrad',
  'PathlabMaxPool',
  'PathlabMaxPoolGrad',
  'Relu',
  'Relu6',
  'Relu6Grad',
  'ReluGrad',
  'Reshape',
  'Slice',
  'SplitV',
  'Squeeze',
  'StridedSlice',
  'Tile',
  'Transpose',
]);

/** pathlab's own ops run on CPUs, where float16 serves only to try out what a GPU will do: they have no kernel for it. */
const customOps = 'Pathlab';

/**
 * Gives the listed ops (`alwaysLow`, `followInputs`) inputs and outputs of low precision, with casts at the borders
 * only; every other op stays as it was recorded, and so does what was called in `inFullPrecision`. This is what PyTorch calls
 * autocast (Micikevicius et al., "Mixed precision training", 2018, arXiv 1710.03740), done once on the recorded step.
 */
export function inPrecision(program: Program, precision: Precision): Program {
  if (precision === 'float32') return program;
  if (precision === 'float64') return inFloat64(program);
  const low = DataType[precision];
  const mayBeLow = (op: string) => precision === 'bfloat16' || !op.startsWith(customOps);
  const ops: RecordedOp[] = [];
  /** The low-precision value of a float32 value. */
  const lowOf = new Map<number, number>();
  /** Values that a low-precision op made, and that float32 would not make more exact. */
  const madeLow = new Set<number>();
  let nextId = firstFreeId(program);
  const given = givenValues(program);
  const isConstant = new Set(program.constants.map(({ id }) => id));
  const inFull = new Set(given.map(({ id }) => id));
  const infos = new Map(given.map((info) => [info.id, info]));

  const toLow = (id: number, origin: Error): number => {
    const existing = lowOf.get(id);
    if (existing !== undefined) return existing;
    const info = { ...infos.get(id)!, id: nextId++, dtype: low };
    ops.push(castOp(id, info, origin));
    lowOf.set(id, info.id);
    return info.id;
  };

  const toFull = (id: number, origin: Error): number => {
    if (!inFull.has(id)) {
      ops.push(castOp(lowOf.get(id)!, infos.get(id)!, origin));
      inFull.add(id);
    }
    return id;
  };

  for (const recorded of program.ops) {
    const { origin } = recorded;
    for (const info of recorded.outputs) infos.set(info.id, info);
    const typedInputs = inputsOfTypeT(recorded).filter((id) => infos.get(id)!.dtype === DataType.float32);
    const computesInFloat = typedInputs.length > 0;
    const follows =
      followInputs.has(recorded.op) &&
      typedInputs.some((id) => madeLow.has(id)) &&
      typedInputs.every((id) => madeLow.has(id) || isConstant.has(id));
    const isLow = !recorded.isFull && mayBeLow(recorded.op) && (alwaysLow.has(recorded.op) || follows);
    if (!computesInFloat || !isLow) {
      ops.push({ ...recorded, inputs: recorded.inputs.map((id) => toFull(id, origin)) });
      for (const { id } of recorded.outputs) inFull.add(id);
      continue;
    }
    const lowered = new Set(typedInputs);
    const inputs = recorded.inputs.map((id) => (lowered.has(id) ? toLow(id, origin) : toFull(id, origin)));
    const typedOutputs = outputsOfTypeT(recorded);
    const outputs = recorded.outputs.map((info) => {
      if (!typedOutputs.includes(info)) {
        inFull.add(info.id);
        return info;
      }
      const lowInfo = { ...info, id: nextId++, dtype: low };
      lowOf.set(info.id, lowInfo.id);
      madeLow.add(info.id);
      return lowInfo;
    });
    ops.push({ ...recorded, inputs, outputs });
  }
  const nowhere = new Error('the output of the step');
  for (const id of program.outputs) toFull(id, nowhere);
  return { ...program, ops };
}

/** Ids of the inputs whose dtype is the op's attribute T. */
function inputsOfTypeT({ op, inputs }: RecordedOp): number[] {
  return ofTypeT(opDefinition(op).getInputArgList(), inputs);
}

function outputsOfTypeT({ op, outputs }: RecordedOp): TensorInfo[] {
  return ofTypeT(opDefinition(op).getOutputArgList(), outputs);
}

function ofTypeT<Value>(args: readonly ArgDef[], values: readonly Value[]): Value[] {
  return groupByArgument(args, values).flatMap((group) => (group.arg.getTypeAttr() === 'T' ? group.values : []));
}

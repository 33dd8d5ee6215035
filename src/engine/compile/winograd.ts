import { hasCustomOps } from '../custom-ops.js';
import { attribute } from '../runtime.js';
import { DataType, type TensorInfo } from './native.js';
import { givenValues, type Program, type RecordedOp } from './program.js';

/** With fewer, the transforms cost what the products save. */
const fewestChannels = 64;

/**
 * The program with Winograd's algorithm (kernel-setup/native/ops/winograd.cc) for its float32 convolutions of 3x3 places
 * at stride 1 that keep the images' size, and for the gradients of their inputs, where that is the faster one. A bias and
 * relu behind such a convolution become part of it. Where pathlab's own ops are away, it is the same program.
 *
 * Rounding errors are some 5 times those of the sum itself: 1e-6 of the outputs' root mean square.
 */
export function withWinograd(program: Program): Program {
  if (!hasCustomOps()) return program;
  const infos = new Map(givenValues(program).map((info) => [info.id, info]));
  const uses = new Map<number, number>();
  for (const id of [...program.ops.flatMap(({ inputs }) => inputs), ...program.outputs]) {
    uses.set(id, (uses.get(id) ?? 0) + 1);
  }
  /** By its output, what a bias or relu may still join. */
  const open = new Map<number, Convolution>();
  const joined = new Set<RecordedOp>();
  const ops = program.ops.map((recorded) => {
    for (const info of recorded.outputs) infos.set(info.id, info);
    const convolution = convolutionOf(recorded, infos) ?? joinedBy(recorded, open);
    if (!convolution) return recorded;
    if (convolution.after) joined.add(convolution.after);
    const [output] = recorded.outputs as [TensorInfo];
    const op = winogradOp(convolution, recorded);
    if (uses.get(output.id) === 1) open.set(output.id, { ...convolution, after: op });
    return op;
  });
  return { ...program, ops: ops.filter((op) => !joined.has(op)) };
}

interface Convolution {
  /** x, the weight and the bias, if any. */
  inputs: readonly number[];
  transposed: boolean;
  relu: boolean;
  /** What computes it so far. */
  after?: RecordedOp;
}

function winogradOp({ inputs, transposed, relu }: Convolution, { outputs, origin }: RecordedOp): RecordedOp {
  const op = `PathlabWinogradConv2D${transposed ? 'Transposed' : ''}`;
  const attributes = [attribute.bool('relu', relu), attribute.int('biases', inputs.length - 2)];
  return { op, attributes, inputs, outputs, origin };
}

/** What the op computes, if Winograd's algorithm is the faster one for it. */
function convolutionOf(recorded: RecordedOp, infos: ReadonlyMap<number, TensorInfo>): Convolution | undefined {
  const { op, inputs, attributes } = recorded;
  const transposed = op === 'Conv2DBackpropInput';
  if (op !== 'Conv2D' && !transposed) return undefined;
  const [first, weight, last] = inputs as [number, number, number];
  const { dtype, shape } = infos.get(weight)!;
  const [height, width, ...channels] = shape;
  const settingOf = (name: string) => String(attributes.find((attribute) => attribute.name === name)?.value);
  const fits =
    dtype === DataType.float32 &&
    height === 3 &&
    width === 3 &&
    channels.every((count) => count >= fewestChannels) &&
    settingOf('padding') === 'SAME' &&
    settingOf('strides') === '1,1,1,1' &&
    settingOf('dilations') === '1,1,1,1' &&
    settingOf('data_format') === 'NHWC';
  return fits ? { inputs: [transposed ? last : first, weight], transposed, relu: false } : undefined;
}

/** The convolution before a bias or relu, with it. */
function joinedBy({ op, inputs }: RecordedOp, open: ReadonlyMap<number, Convolution>): Convolution | undefined {
  const convolution = open.get(inputs[0]!);
  if (!convolution || convolution.relu) return undefined;
  if (op === 'Relu') return { ...convolution, relu: true };
  const takesBias = op === 'BiasAdd' && convolution.inputs.length === 2;
  return takesBias ? { ...convolution, inputs: [...convolution.inputs, inputs[1]!] } : undefined;
}

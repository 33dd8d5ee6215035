import { DataType, nodeBackend } from './compile/native.js';
import { nameOfType, type OpUse } from './compile/recorded-ops.js';

/** A kernel of TensorFlow's registry. */
interface Kernel {
  /** `CPU`, `GPU`, or `DEFAULT` for those that serve every device. */
  device: string;
  /** The types that it takes, by type attribute; all where one is not named. */
  allowed: Record<string, number[]>;
}

/**
 * What stays on the host when a GPU computes, for decoding images is the host's work: the decoders, and stacking the
 * bytes that they give. So is what handles texts.
 */
const hostWork = new Set(['DecodeJpeg', 'DecodeAndCropJpeg', 'DecodePng', 'Pack(T: uint8)']);

/** Whether TensorFlow's library has kernels for GPUs, also where there is no GPU. */
export function hasGpuKernels(): boolean {
  return kernelsOf('MatMul').some(({ device }) => device === 'GPU');
}

/** An op that would leave the GPU. */
export interface MissingKernel {
  /** `Conv2D(T: float32)`. */
  what: string;
  line: string;
}

/**
 * Which of the ops no GPU can run, so that TensorFlow would copy their inputs to the host and back. It is told from the
 * registry of kernels, so no GPU is needed, but a library with CUDA is (`hasGpuKernels`).
 *
 * @returns each op once for the types that it is used with
 */
export function withoutGpuKernel(ops: readonly OpUse[]): MissingKernel[] {
  const missing = new Map<string, MissingKernel>();
  for (const { op, types, line } of ops) {
    const list = Object.entries(types).map(([name, values]) => `${name}: ${values.map(nameOfType).join(' ')}`);
    const what = `${op}(${list.join(', ')})`;
    const isHostWork = hostWork.has(op) || hostWork.has(what) || Object.values(types).flat().includes(DataType.string);
    if (isHostWork || kernelsOf(op).some((kernel) => isForGpu(kernel) && takes(kernel, types))) continue;
    if (!missing.has(what)) missing.set(what, { what, line });
  }
  return [...missing.values()];
}

const isForGpu = ({ device }: Kernel) => device === 'GPU' || device === 'DEFAULT';

function takes({ allowed }: Kernel, types: OpUse['types']): boolean {
  return Object.entries(allowed).every(([name, list]) => (types[name] ?? []).every((type) => list.includes(type)));
}

const known = new Map<string, Kernel[]>();

function kernelsOf(op: string): Kernel[] {
  let kernels = known.get(op);
  if (!kernels) {
    // KernelList { repeated KernelDef kernel = 1 }
    kernels = fieldsOf(nodeBackend().binding.kernelsForOp(op))
      .filter(({ number }) => number === 1)
      .map(({ value }) => kernelOf(value as Uint8Array));
    known.set(op, kernels);
  }
  return kernels;
}

/** KernelDef { string device_type = 2; repeated AttrConstraint constraint = 3 } */
function kernelOf(bytes: Uint8Array): Kernel {
  const kernel: Kernel = { device: '', allowed: {} };
  for (const { number, value } of fieldsOf(bytes)) {
    if (number === 2) kernel.device = text(value);
    if (number !== 3) continue;
    // AttrConstraint { string name = 1; AttrValue { ListValue { repeated DataType type = 6 } list = 1 } allowed = 2 }
    const constraint = fieldsOf(value as Uint8Array);
    const name = text(constraint.find(({ number }) => number === 1)!.value);
    const list = fieldsOf(constraint.find(({ number }) => number === 2)!.value as Uint8Array).find(
      ({ number }) => number === 1,
    );
    kernel.allowed[name] = fieldsOf(list!.value as Uint8Array)
      .filter(({ number }) => number === 6)
      .flatMap(({ value }) => (typeof value === 'number' ? [value] : packed(value)));
  }
  return kernel;
}

const text = (value: number | Uint8Array) => Buffer.from(value as Uint8Array).toString();

interface Field {
  number: number;
  value: number | Uint8Array;
}

/** The fields of a protobuf message. tfjs-node's classes know functions and graphs, but no kernels. */
function fieldsOf(bytes: Uint8Array): Field[] {
  const fields: Field[] = [];
  let place = 0;
  const integer = () => {
    const [value, next] = varint(bytes, place);
    place = next;
    return value;
  };
  while (place < bytes.length) {
    const tag = integer();
    const number = tag >>> 3;
    const wire = tag & 7;
    if (wire === 0) {
      fields.push({ number, value: integer() });
    } else if (wire === 2) {
      const length = integer();
      fields.push({ number, value: bytes.subarray(place, place + length) });
      place += length;
    } else {
      throw new Error(`TensorFlow's list of kernels has a field of wire type ${wire}, which is not expected there`);
    }
  }
  return fields;
}

function packed(bytes: Uint8Array): number[] {
  const values: number[] = [];
  for (let place = 0; place < bytes.length; ) {
    const [value, next] = varint(bytes, place);
    values.push(value);
    place = next;
  }
  return values;
}

/** @returns the number at `place`, and the place behind it */
function varint(bytes: Uint8Array, place: number): [value: number, next: number] {
  let value = 0;
  let factor = 1;
  let next = place;
  for (;;) {
    const byte = bytes[next++]!;
    value += (byte & 0x7f) * factor;
    if (byte < 0x80) return [value, next];
    factor *= 128;
  }
}

import type { FileHandle } from 'node:fs/promises';
import { type Tensor, tf } from './runtime.js';
import { disposeTensors, type Tensors } from './tensors.js';

/** A tensor in a file. */
export interface StoredTensor {
  /** As safetensors calls it: `F32`. */
  dtype: string;
  shape: number[];
  /**
   * Brings it into memory, the caller's to dispose of: floats as float32, whole numbers as int32, BOOL as bool.
   *
   * @throws Error if the engine's type does not hold its values exactly, or the file is damaged
   */
  read(): Promise<Tensor>;
}

/** Tensors by name in an open file, not yet read. */
export interface TensorFile {
  tensors: Record<string, StoredTensor>;
  metadata: Record<string, string>;
  close(): Promise<void>;
}

/** Widths of elements, bytes. */
const widths = {
  ...{ F64: 8, I64: 8, U64: 8, F32: 4, I32: 4, U32: 4 },
  ...{ F16: 2, BF16: 2, I16: 2, U16: 2, I8: 1, U8: 1, BOOL: 1 },
} as const;

type ElementType = keyof typeof widths;

const isElementType = (dtype: string): dtype is ElementType => Object.hasOwn(widths, dtype);

/**
 * Bytes of one element.
 *
 * @param name of the tensor, with its file
 * @throws Error for a type that is not read
 */
export function elementWidth(dtype: string, name: string): number {
  if (isElementType(dtype)) return widths[dtype];
  throw new Error(`${name} is ${dtype}; pathlab reads ${Object.keys(widths).join(', ')}`);
}

/**
 * A tensor of stored elements, little-endian and in row-major order.
 *
 * @param bytes belong to the tensor from now on
 * @param name of the tensor, with its file
 * @throws RangeError that names a value which the engine's type does not hold
 */
export function tensorOfBytes(dtype: string, shape: readonly number[], bytes: ArrayBuffer, name: string): Tensor {
  elementWidth(dtype, name);
  const kind = dtype as ElementType;
  if (kind === 'BOOL') return tf.tensor(truths(bytes, name), [...shape], 'bool');
  const float = kind.includes('F');
  return tf.tensor(
    float ? floats(kind, bytes, name) : wholes(kind, bytes, name),
    [...shape],
    float ? 'float32' : 'int32',
  );
}

/** Reads every tensor of a file, and closes it. */
export async function readAll({ tensors, close }: TensorFile): Promise<Tensors> {
  const read: [string, Tensor][] = [];
  try {
    for (const [name, stored] of Object.entries(tensors)) read.push([name, await stored.read()]);
  } catch (error) {
    disposeTensors(Object.fromEntries(read));
    throw error;
  } finally {
    await close();
  }
  return Object.fromEntries(read);
}

/** @throws Error that names the file if it ends before that */
export async function readBytes(file: FileHandle, path: string, begin: number, length: number): Promise<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; ) {
    // The operating system takes 2 GiB at most.
    const { bytesRead } = await file.read(bytes, done, Math.min(length - done, 2 ** 30), begin + done);
    if (bytesRead === 0) throw new Error(`${path} ends at byte ${begin + done}; it was longer when it was opened`);
    done += bytesRead;
  }
  return bytes.buffer;
}

function truths(bytes: ArrayBuffer, name: string): Uint8Array {
  const values = new Uint8Array(bytes);
  const other = values.find((value) => value > 1);
  if (other !== undefined) throw new RangeError(`${name} holds ${other}, which is neither true nor false`);
  return values;
}

function floats(kind: ElementType, bytes: ArrayBuffer, name: string): Float32Array {
  switch (kind) {
    case 'F64':
      return Float32Array.from(new Float64Array(bytes), (value) => {
        if (!Object.is(Math.fround(value), value)) {
          throw new RangeError(`${name} holds ${value}, which float32 cannot represent; save it as float32`);
        }
        return value;
      });
    case 'F16': {
      halves ??= Float32Array.from({ length: 2 ** 16 }, (_, bits) => halfOf(bits));
      return Float32Array.from(new Uint16Array(bytes), (bits) => halves![bits]!);
    }
    case 'BF16':
      return new Float32Array(Uint32Array.from(new Uint16Array(bytes), (bits) => bits << 16).buffer);
    default:
      return new Float32Array(bytes);
  }
}

/** The value of each bit pattern of IEEE 754 binary16. */
let halves: Float32Array | undefined;

function halfOf(bits: number): number {
  const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent ? sign * 2 ** (exponent - 15) * (1 + fraction / 1024) : sign * 2 ** -14 * (fraction / 1024);
}

const wholeArrays = {
  ...{ I8: Int8Array, U8: Uint8Array, I16: Int16Array, U16: Uint16Array, I32: Int32Array, U32: Uint32Array },
  ...{ I64: BigInt64Array, U64: BigUint64Array },
};

function wholes(kind: ElementType, bytes: ArrayBuffer, name: string): Int32Array {
  if (kind === 'I32') return new Int32Array(bytes);
  const values = new wholeArrays[kind as keyof typeof wholeArrays](bytes);
  return Int32Array.from<number | bigint>(values as ArrayLike<number | bigint>, (value) => {
    const number = Number(value);
    if (number !== (number | 0)) throw new RangeError(`${name} holds ${value}, which int32 cannot represent`);
    return number;
  });
}

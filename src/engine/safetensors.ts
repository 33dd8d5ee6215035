import { readFile } from 'node:fs/promises';
import { writeFileAtomic } from '../runs/index.js';
import { type Tensor, tf } from './runtime.js';
import { disposeTensors, type Tensors } from './tensors.js';

/*
 * The safetensors format (https://github.com/huggingface/safetensors): the header's length as a 64-bit
 * little-endian number, the header in JSON, then the tensors' elements, little-endian and without gaps.
 */

interface HeaderEntry {
  dtype: string;
  shape: number[];
  data_offsets: [begin: number, end: number];
}

const widths: Record<string, number> = { F32: 4, I32: 4, I64: 8, BOOL: 1, U8: 1 };
const fileTypes: Record<string, string> = { float32: 'F32', int32: 'I32', bool: 'BOOL' };

/** Writes tensors (float32, int32 or bool) and text metadata, whole or not at all. Equal input gives equal bytes. */
export async function writeSafetensors(
  path: string,
  tensors: Tensors,
  metadata: Record<string, string> = {},
): Promise<void> {
  const header: Record<string, unknown> = { __metadata__: metadata };
  const parts: Uint8Array[] = [];
  let offset = 0;
  for (const [name, tensor] of Object.entries(tensors)) {
    const dtype = fileTypes[tensor.dtype];
    if (!dtype) throw new TypeError(`${path}: the tensor "${name}" is ${tensor.dtype}, which is not written`);
    const elements = await tensor.data();
    const bytes = new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength);
    header[name] = { dtype, shape: tensor.shape, data_offsets: [offset, offset + bytes.length] };
    parts.push(bytes);
    offset += bytes.length;
  }
  const text = JSON.stringify(header);
  // Spaces up to a multiple of 8 keep the elements aligned in a memory map.
  const json = Buffer.from(text.padEnd(text.length + ((8 - (Buffer.byteLength(text) % 8)) % 8)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  await writeFileAtomic(path, Buffer.concat([length, json, ...parts]));
}

/**
 * Reads every tensor of a file: F32 as float32; I32, I64 and U8 as int32; BOOL as bool.
 *
 * @throws Error if the file is cut short or not in the format, naming the file and the place
 */
export async function readSafetensors(path: string): Promise<{ tensors: Tensors; metadata: Record<string, string> }> {
  const file = await readFile(path);
  const broken = (what: string) => new Error(`${path} is no whole safetensors file: ${what}`);
  if (file.length < 8) throw broken(`it has ${file.length} bytes`);
  const headerEnd = 8 + Number(file.readBigUInt64LE(0));
  if (headerEnd > file.length) throw broken(`its header would end at byte ${headerEnd} of ${file.length}`);
  let header: Record<string, unknown>;
  try {
    header = JSON.parse(file.toString('utf8', 8, headerEnd)) as Record<string, unknown>;
  } catch (error) {
    throw broken(`its header is not JSON (${(error as Error).message})`);
  }
  const { __metadata__: metadata = {}, ...entries } = header;
  const tensors: Tensors = {};
  try {
    for (const [name, entry] of Object.entries(entries)) {
      const { dtype, shape, data_offsets: offsets } = entry as HeaderEntry;
      const width = widths[dtype];
      if (!width) throw broken(`the tensor "${name}" is ${dtype}; pathlab reads ${Object.keys(widths).join(', ')}`);
      const size = width * shape.reduce((product, length) => product * length, 1);
      const [begin, end] = offsets;
      if (end - begin !== size || begin < 0 || headerEnd + end > file.length) {
        throw broken(`the tensor "${name}" [${shape}] needs ${size} bytes, and has ${begin} to ${end}`);
      }
      // A copy of its own: TensorFlow keeps the memory, and the offset need not be aligned.
      const bytes = new Uint8Array(file.subarray(headerEnd + begin, headerEnd + end)).buffer;
      tensors[name] = toTensor(dtype, shape, bytes, name);
    }
  } catch (error) {
    disposeTensors(tensors);
    throw error;
  }
  return { tensors, metadata: metadata as Record<string, string> };
}

function toTensor(dtype: string, shape: number[], bytes: ArrayBuffer, name: string): Tensor {
  switch (dtype) {
    case 'F32':
      return tf.tensor(new Float32Array(bytes), shape, 'float32');
    case 'I32':
      return tf.tensor(new Int32Array(bytes), shape, 'int32');
    case 'BOOL':
      return tf.tensor(new Uint8Array(bytes), shape, 'bool');
    case 'U8':
      return tf.tensor(Int32Array.from(new Uint8Array(bytes)), shape, 'int32');
    default:
      return tf.tensor(narrow(new BigInt64Array(bytes), name), shape, 'int32');
  }
}

function narrow(values: BigInt64Array, name: string): Int32Array {
  return Int32Array.from(values, (value) => {
    const number = Number(value);
    if (number !== (number | 0)) throw new RangeError(`the tensor "${name}" holds ${value}, which int32 does not`);
    return number;
  });
}

import { readFile } from 'node:fs/promises';
import { writeFileAtomic } from '../base/index.js';
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
/** The format's own limit on its header, bytes. */
const maxHeaderBytes = 100_000_000;

/**
 * Writes tensors (float32, int32 or bool) and text metadata, whole or not at all. Equal input gives equal bytes.
 *
 * @throws TypeError for a name or metadata that the format does not hold
 */
export async function writeSafetensors(
  path: string,
  tensors: Tensors,
  metadata: Record<string, string> = {},
): Promise<void> {
  for (const [name, text] of Object.entries(metadata)) {
    if (typeof text !== 'string') throw new TypeError(`${path}: the metadata "${name}" is ${typeof text}, not text`);
  }
  const badName = [...Object.keys(tensors), ...Object.entries(metadata).flat()].find((text) => !isWellFormed(text));
  if (badName !== undefined) throw new TypeError(`${path}: ${JSON.stringify(badName)} is no whole Unicode text`);
  if ('__metadata__' in tensors) throw new TypeError(`${path}: no tensor can be called "__metadata__"`);
  const header: [string, unknown][] = [['__metadata__', metadata]];
  const parts: Uint8Array[] = [];
  let offset = 0;
  for (const [name, tensor] of Object.entries(tensors)) {
    const dtype = fileTypes[tensor.dtype];
    if (!dtype) throw new TypeError(`${path}: the tensor "${name}" is ${tensor.dtype}, which is not written`);
    const elements = await tensor.data();
    const bytes = new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength);
    header.push([name, { dtype, shape: tensor.shape, data_offsets: [offset, offset + bytes.length] }]);
    parts.push(bytes);
    offset += bytes.length;
  }
  const text = JSON.stringify(Object.fromEntries(header));
  // Spaces up to a multiple of 8 keep the elements aligned in a memory map.
  const json = Buffer.from(text.padEnd(text.length + ((8 - (Buffer.byteLength(text) % 8)) % 8)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  await writeFileAtomic(path, Buffer.concat([length, json, ...parts]));
}

/** Half of a surrogate pair has no UTF-8. */
const isWellFormed = (text: string) => !/\p{Surrogate}/u.test(text);

/**
 * Reads every tensor of a file: F32 as float32; I32, I64 and U8 as int32; BOOL as bool.
 *
 * @throws Error if the file is not wholly in the format, naming the file and the place
 */
export async function readSafetensors(path: string): Promise<{ tensors: Tensors; metadata: Record<string, string> }> {
  const file = await readFile(path);
  const broken = (what: string) => new Error(`${path} is no whole safetensors file: ${what}`);
  const { header, headerEnd } = readHeader(file, broken);
  const { __metadata__, ...entries } = header;
  const metadata = __metadata__ ?? {};
  if (!isRecord(metadata) || Object.values(metadata).some((text) => typeof text !== 'string')) {
    throw broken('its metadata is not an object of texts');
  }
  checkLayout(entries, file.length - headerEnd, broken);
  const tensors: [string, Tensor][] = [];
  try {
    for (const [name, { dtype, shape, data_offsets: offsets }] of Object.entries(
      entries as Record<string, HeaderEntry>,
    )) {
      if (!Object.hasOwn(widths, dtype)) {
        throw new Error(`${path}: the tensor "${name}" is ${dtype}; pathlab reads ${Object.keys(widths).join(', ')}`);
      }
      // A copy of its own: TensorFlow keeps the memory, and the offset need not be aligned.
      const bytes = new Uint8Array(file.subarray(headerEnd + offsets[0], headerEnd + offsets[1])).buffer;
      const elements = shape.reduce((product, length) => product * length, 1);
      if (!Number.isSafeInteger(elements) || bytes.byteLength !== widths[dtype]! * elements) {
        throw broken(
          `the tensor "${name}" [${shape}] needs ${widths[dtype]! * elements} bytes, and has ${offsets.join(' to ')}`,
        );
      }
      tensors.push([name, toTensor(dtype, shape, bytes, `${path}: the tensor "${name}"`)]);
    }
  } catch (error) {
    disposeTensors(Object.fromEntries(tensors));
    throw error;
  }
  return { tensors: Object.fromEntries(tensors), metadata: metadata as Record<string, string> };
}

type Broken = (what: string) => Error;

function readHeader(file: Buffer, broken: Broken): { header: Record<string, unknown>; headerEnd: number } {
  if (file.length < 8) throw broken(`it has ${file.length} bytes`);
  if (file.toString('latin1', 0, 40).startsWith('version https://git-lfs')) {
    throw broken('it is the pointer that Git LFS leaves in the place of a file; "git lfs pull" brings the file');
  }
  const length = file.readBigUInt64LE(0);
  if (length > BigInt(maxHeaderBytes)) throw broken(`its header would have ${length} bytes`);
  const headerEnd = 8 + Number(length);
  if (headerEnd > file.length) throw broken(`its header would end at byte ${headerEnd} of ${file.length}`);
  let text: string;
  let header: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(file.subarray(8, headerEnd));
    header = JSON.parse(text);
  } catch (error) {
    throw broken(`its header is not JSON (${(error as Error).message})`);
  }
  if (!isRecord(header) || !text.startsWith('{')) throw broken('its header is not an object');
  // JSON.parse keeps the last of equal keys.
  if (/-|\d[.eE]/.test(text.replace(/"(?:[^"\\]|\\.)*"/g, ''))) throw broken('a number in its header is not whole');
  const keys = [...text.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?/g)].filter(([, colon]) => colon !== undefined);
  if (keys.length !== countKeys(header)) throw broken('a name stands twice in its header');
  return { header, headerEnd };
}

function countKeys(value: unknown): number {
  if (Array.isArray(value)) return value.reduce((sum: number, each) => sum + countKeys(each), 0);
  if (!isRecord(value)) return 0;
  return Object.values(value).reduce((sum: number, each) => sum + 1 + countKeys(each), 0);
}

/** Tensors lie one behind the other, from the first byte behind the header to the last of the file. */
function checkLayout(entries: Record<string, unknown>, bytes: number, broken: Broken): void {
  const isWhole = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
  for (const [name, entry] of Object.entries(entries)) {
    const { dtype, shape, data_offsets: offsets } = (isRecord(entry) ? entry : {}) as Partial<HeaderEntry>;
    const isPair =
      Array.isArray(offsets) && offsets.length === 2 && offsets.every(isWhole) && offsets[0]! <= offsets[1]!;
    if (!isWellFormed(name)) throw broken(`the name ${JSON.stringify(name)} is no whole Unicode text`);
    if (typeof dtype !== 'string' || !Array.isArray(shape) || !shape.every(isWhole) || !isPair) {
      throw broken(`the tensor "${name}" has no dtype, shape and data_offsets as the format has them`);
    }
  }
  const inOrder = Object.entries(entries as Record<string, HeaderEntry>).sort(
    ([, { data_offsets: one }], [, { data_offsets: other }]) => one[0] - other[0] || one[1] - other[1],
  );
  let end = 0;
  for (const [name, { data_offsets: offsets }] of inOrder) {
    if (offsets[0] !== end) throw broken(`the tensor "${name}" begins at byte ${offsets[0]}, and not at ${end}`);
    end = offsets[1];
  }
  if (end !== bytes) throw broken(`its tensors have ${end} bytes, and ${bytes} are there`);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
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
    if (number !== (number | 0)) throw new RangeError(`${name} holds ${value}, which int32 does not`);
    return number;
  });
}

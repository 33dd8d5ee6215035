import { type FileHandle, open } from 'node:fs/promises';
import { writeFileAtomic } from '../base/index.js';
import { elementWidth, readAll, readBytes, type TensorFile, tensorOfBytes } from './stored-tensors.js';
import type { Tensors } from './tensors.js';

/*
 * The safetensors format (https://github.com/huggingface/safetensors): the header's length as a 64-bit
 * little-endian number, the header in JSON, then the tensors' elements, little-endian and without gaps.
 */

interface HeaderEntry {
  dtype: string;
  shape: number[];
  data_offsets: [begin: number, end: number];
}

const fileTypes: Record<string, string> = { float32: 'F32', int32: 'I32', bool: 'BOOL' };
/** The format's own limit on its header, bytes. */
const maxHeaderBytes = 100_000_000;

/**
 * Writes tensors (float32, int32 or bool) and text metadata, whole or not at all. Equal input gives equal bytes. As with
 * the format's own library, the widest elements come first and spaces fill the header up to a multiple of 8 bytes, so
 * that every tensor is aligned in a memory map.
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
  if (badName !== undefined) throw new TypeError(`${path}: ${JSON.stringify(badName)} is not valid Unicode text`);
  if ('__metadata__' in tensors) throw new TypeError(`${path}: no tensor can be called "__metadata__"`);
  const entries = Object.entries(tensors).map(([name, tensor]) => {
    const dtype = fileTypes[tensor.dtype];
    if (!dtype) throw new TypeError(`${path}: the tensor "${name}" is ${tensor.dtype}, which cannot be written`);
    const entry: HeaderEntry = { dtype, shape: tensor.shape, data_offsets: [0, 0] };
    return { name, tensor, entry, width: elementWidth(dtype, name) };
  });
  const inOrder = [...entries].sort((one, other) => other.width - one.width);
  let offset = 0;
  for (const { tensor, entry, width } of inOrder) {
    const begin = offset;
    offset += width * tensor.size;
    entry.data_offsets = [begin, offset];
  }
  const text = JSON.stringify(
    Object.fromEntries([['__metadata__', metadata], ...entries.map(({ name, entry }) => [name, entry] as const)]),
  );
  const json = Buffer.from(text.padEnd(text.length + ((8 - (Buffer.byteLength(text) % 8)) % 8)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  await writeFileAtomic(
    path,
    (async function* () {
      yield length;
      yield json;
      for (const { tensor } of inOrder) {
        const elements = await tensor.data();
        yield new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength);
      }
    })(),
  );
}

/** Half of a surrogate pair has no UTF-8. */
const isWellFormed = (text: string) => !/\p{Surrogate}/u.test(text);

/**
 * Reads every tensor of a file; see `StoredTensor` for what becomes of each type.
 *
 * @throws Error if the file is not wholly in the format, naming the file and the place
 */
export async function readSafetensors(path: string): Promise<{ tensors: Tensors; metadata: Record<string, string> }> {
  const file = await openSafetensors(path);
  return { tensors: await readAll(file), metadata: file.metadata };
}

/**
 * Opens a file and checks its header against its size, before anything of the size that it claims is allocated.
 *
 * @throws Error if the file is not wholly in the format, naming the file and the place
 */
export async function openSafetensors(path: string): Promise<TensorFile> {
  const file = await open(path);
  try {
    const broken = (what: string) => new Error(`${path} is not a complete safetensors file: ${what}`);
    const { size } = await file.stat();
    const { header, headerEnd } = await readHeader(file, path, size, broken);
    const { __metadata__, ...rest } = header;
    const metadata = __metadata__ ?? {};
    if (
      !isRecord(metadata) ||
      Object.values(metadata).some((text) => typeof text !== 'string' || !isWellFormed(text))
    ) {
      throw broken('its metadata is not an object of texts');
    }
    const entries = checkLayout(rest, size - headerEnd, broken);
    const tensors = entries.map(([name, { dtype, shape, data_offsets: offsets }]) => {
      const [begin, end] = offsets;
      const called = `${path}: the tensor "${name}"`;
      const needed = shape.reduce((product, length) => product * length, elementWidth(dtype, called));
      if (!Number.isSafeInteger(needed) || end - begin !== needed) {
        throw broken(`the tensor "${name}" [${shape}] needs ${needed} bytes, and has ${offsets.join(' to ')}`);
      }
      const read = async () =>
        tensorOfBytes(dtype, shape, await readBytes(file, path, headerEnd + begin, end - begin), called);
      return [name, { dtype, shape, read }] as const;
    });
    return {
      tensors: Object.fromEntries(tensors),
      metadata: metadata as Record<string, string>,
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

type Broken = (what: string) => Error;

async function readHeader(
  file: FileHandle,
  path: string,
  size: number,
  broken: Broken,
): Promise<{ header: Record<string, unknown>; headerEnd: number }> {
  const first = Buffer.from(await readBytes(file, path, 0, Math.min(size, 40)));
  if (size < 8) throw broken(`it has ${size} bytes`);
  if (first.toString('latin1').startsWith('version https://git-lfs')) {
    throw broken('it is a Git LFS pointer, not the file itself; "git lfs pull" downloads the file');
  }
  const length = first.readBigUInt64LE(0);
  if (length > BigInt(maxHeaderBytes))
    throw broken(`its first 8 bytes say that its header has ${length} bytes, as those of other files do`);
  const headerEnd = 8 + Number(length);
  if (headerEnd > size) throw broken(`its header would end at byte ${headerEnd} of ${size}`);
  let text: string;
  let header: unknown;
  try {
    const bytes = await readBytes(file, path, 8, Number(length));
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    header = JSON.parse(text);
  } catch (error) {
    throw broken(`its header is not JSON (${(error as Error).message})`);
  }
  if (!isRecord(header) || !text.startsWith('{')) throw broken('its header is not an object');
  if (/-|\d[.eE]/.test(text.replace(/"[^"\\]*(?:\\.[^"\\]*)*"/g, '')))
    throw broken('a number in its header is not whole');
  // JSON.parse keeps the last of equal keys.
  const keys = [...text.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?/g)].filter(([, colon]) => colon !== undefined);
  if (keys.length !== countKeys(header)) throw broken('a name occurs twice in its header');
  return { header, headerEnd };
}

function countKeys(header: object): number {
  let count = 0;
  // Not by recursion: the depth is the file's to choose.
  for (const open: unknown[] = [header]; open.length > 0; ) {
    const value = open.pop();
    if (isRecord(value)) count += Object.keys(value).length;
    if (typeof value === 'object' && value !== null) for (const inner of Object.values(value)) open.push(inner);
  }
  return count;
}

/** Tensors lie one behind the other, from the first byte behind the header to the last of the file. */
function checkLayout(entries: Record<string, unknown>, bytes: number, broken: Broken): [string, HeaderEntry][] {
  const isWhole = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
  for (const [name, entry] of Object.entries(entries)) {
    const { dtype, shape, data_offsets: offsets } = (isRecord(entry) ? entry : {}) as Partial<HeaderEntry>;
    const isPair =
      Array.isArray(offsets) && offsets.length === 2 && offsets.every(isWhole) && offsets[0]! <= offsets[1]!;
    if (!isWellFormed(name)) throw broken(`the name ${JSON.stringify(name)} is not valid Unicode text`);
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
  return Object.entries(entries as Record<string, HeaderEntry>);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

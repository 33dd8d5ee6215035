import { open } from 'node:fs/promises';
import { elementWidth, type StoredTensor, type TensorFile, tensorOfBytes } from '../../engine/index.js';
import { gathered, rowMajor } from './strided.js';
import { type ZipMember, zipMembers } from './zip.js';

/*
 * NumPy's `.npz`: a zip archive of arrays (numpy/lib/format.py).
 */

const elementTypes: Readonly<Record<string, string>> = {
  ...{ '<f8': 'F64', '<f4': 'F32', '<f2': 'F16', '<i8': 'I64', '<i4': 'I32', '<i2': 'I16', '|i1': 'I8' },
  ...{ '<u8': 'U64', '<u4': 'U32', '<u2': 'U16', '|u1': 'U8', '|b1': 'BOOL' },
};

/**
 * Opens an archive of arrays; their names are the members' without `.npy`.
 *
 * @throws Error that names the file and the array that is not of numbers
 */
export async function openNpz(path: string): Promise<TensorFile> {
  const file = await open(path);
  try {
    const tensors: Record<string, StoredTensor> = {};
    for (const [member, content] of await zipMembers(file, path)) {
      const name = member.replace(/\.npy$/, '');
      tensors[name] = await arrayIn(content, name, `${path}: the array "${name}"`);
    }
    return { tensors, metadata: {}, close: () => file.close() };
  } catch (error) {
    await file.close();
    throw new Error(`${path} is not an archive of arrays by NumPy: ${(error as Error).message}`, { cause: error });
  }
}

async function arrayIn(member: ZipMember, name: string, called: string): Promise<StoredTensor> {
  const start = Buffer.from(await member.read(0, Math.min(12, member.size)));
  if (start.length < 12 || start.toString('latin1', 0, 6) !== '\x93NUMPY') throw new Error(`"${name}" is not an array`);
  const [length, begin] = start[6] === 1 ? [start.readUInt16LE(8), 10] : [start.readUInt32LE(8), 12];
  const end = begin + length;
  if (end > member.size) throw new Error(`"${name}" ends within its description`);
  const header = Buffer.from(await member.read(begin, end)).toString('latin1');
  const [, type, order, sizes] =
    /^\{'descr': '([^']+)', 'fortran_order': (True|False), 'shape': \(([\d, ]*)\), \}\s*$/.exec(header) ?? [];
  const dtype = elementTypes[type ?? ''];
  if (dtype === undefined) {
    throw new Error(`"${name}" is not an array of plain numbers: ${JSON.stringify(header.trim().slice(0, 100))}`);
  }
  const shape = [...sizes!.matchAll(/\d+/g)].map(Number);
  const width = elementWidth(dtype, called);
  const needed = shape.reduce((product, side) => product * side, width);
  if (needed !== member.size - end) {
    throw new Error(`"${name}" [${shape}] needs ${needed} bytes, and has ${member.size - end}`);
  }
  const strides = order === 'True' ? rowMajor([...shape].reverse()).reverse() : rowMajor(shape);
  return {
    dtype,
    shape,
    async read() {
      const bytes = await member.read(end).catch((error: Error) => {
        throw new Error(`${called}: ${error.message}`, { cause: error });
      });
      return tensorOfBytes(dtype, shape, gathered(bytes, { offset: 0, shape, strides }, width), called);
    },
  };
}

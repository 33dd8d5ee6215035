import { type FileHandle, open } from 'node:fs/promises';
import { elementWidth, readBytes, type StoredTensor, type TensorFile, tensorOfBytes } from '../../engine/index.js';
import { Fields, Global, type Pickled, unpickle } from './pickle.js';
import { gathered, type Layout, spanOf } from './strided.js';
import { zipMembers } from './zip.js';

/*
 * Files of `torch.save`: a zip archive with a pickle and a member for each storage, or, before PyTorch 1.6, pickles with
 * the storages behind them (torch/serialization.py).
 */

/** A stretch of elements that tensors are cut from. */
interface Storage {
  key: string;
  dtype: string;
  /** Elements. */
  length: number;
}

/** A tensor that a pickle describes. */
class Described {
  constructor(
    readonly storage: Storage,
    readonly layout: Layout,
    /** Where it is not the storage's. */
    readonly dtype = storage.dtype,
  ) {}
}

const storageTypes = new Map(
  Object.entries({
    ...{ Double: 'F64', Float: 'F32', Half: 'F16', BFloat16: 'BF16', Long: 'I64', Int: 'I32', Short: 'I16' },
    ...{ Char: 'I8', Byte: 'U8', Bool: 'BOOL', ComplexFloat: 'C64', ComplexDouble: 'C128' },
    // Without a type; its length is in bytes.
    Untyped: 'U8',
  }),
);
const elementTypes = new Map(
  Object.entries({
    ...{ float64: 'F64', float32: 'F32', float16: 'F16', bfloat16: 'BF16', int64: 'I64', int32: 'I32', int16: 'I16' },
    ...{ int8: 'I8', uint8: 'U8', bool: 'BOOL', uint16: 'U16', uint32: 'U32', uint64: 'U64' },
  }),
);

/**
 * Opens a file of `torch.save`. Of nested dictionaries, names are joined by points: `state_dict.layer1.0.conv1.weight`.
 * What is not a tensor, as a checkpoint's epoch, is passed over.
 *
 * @throws Error that names the file, and what it holds besides tensors and plain values
 */
export async function openTorchFile(path: string): Promise<TensorFile> {
  const file = await open(path);
  try {
    const start = Buffer.from(await readBytes(file, path, 0, Math.min(4, (await file.stat()).size)));
    const isZip = start.toString('latin1') === 'PK\x03\x04';
    const { value, bytesOf } = isZip ? await readZip(file, path) : await readPickles(file, path);
    const tensors: Record<string, StoredTensor> = {};
    for (const [name, tensor] of describedIn(value)) {
      const { shape } = tensor.layout;
      const read = async () => {
        const { storage, layout, dtype } = tensor;
        const width = elementWidth(dtype, `${path}: the tensor "${name}"`);
        const [begin, end] = spanOf(layout);
        const bytes = await bytesOf(storage, begin * width, end * width).catch((error: Error) => {
          throw new Error(`${path}: ${error.message}`, { cause: error });
        });
        return tensorOfBytes(dtype, shape, gathered(bytes, layout, width), `${path}: the tensor "${name}"`);
      };
      tensors[name] = { dtype: tensor.dtype, shape: [...shape], read };
    }
    if (Object.keys(tensors).length === 0) throw new Error('it holds no tensor');
    return { tensors, metadata: {}, close: () => file.close() };
  } catch (error) {
    await file.close();
    throw new Error(`${path} is not a file of tensors by PyTorch: ${(error as Error).message}`, { cause: error });
  }
}

/** The parts of a file: its value, and where the bytes of storages are. */
interface Opened {
  value: Pickled;
  bytesOf(storage: Storage, begin: number, end: number): Promise<ArrayBuffer>;
}

async function readZip(file: FileHandle, path: string): Promise<Opened> {
  const members = await zipMembers(file, path);
  const name = [...members.keys()].find((name) => /^[^/]+\/data\.pkl$/.test(name));
  if (name === undefined) throw new Error('its zip archive has no data.pkl');
  const folder = name.slice(0, -'data.pkl'.length);
  const order = members.get(`${folder}byteorder`);
  if (order && Buffer.from(await order.read()).toString() !== 'little') throw new Error('its numbers are big-endian');
  const { value } = unpickle(Buffer.from(await members.get(name)!.read()), 0, readerOf());
  return {
    value,
    bytesOf: async ({ key }, begin, end) => {
      const member = members.get(`${folder}data/${key}`);
      if (!member) throw new Error(`its storage ${key} is missing`);
      if (end > member.size) throw new Error(`its storage ${key} has ${member.size} bytes, but ${end} are needed`);
      return member.read(begin, end);
    },
  };
}

/** What the older form begins with. */
const magic = 0x1950a86a20f9469cfc6cn;
/** Its pickles come before the storages, and are small beside them. */
const maxPickleBytes = 2 ** 26;

async function readPickles(file: FileHandle, path: string): Promise<Opened> {
  const { size } = await file.stat();
  const head = Buffer.from(await readBytes(file, path, 0, Math.min(size, maxPickleBytes)));
  if (head[0] !== 0x80) throw new Error('it begins neither as a zip archive nor as a pickle');
  let end = 0;
  const next = () => {
    const read = unpickle(head, end, readerOf(storages));
    end = read.end;
    return read.value;
  };
  const storages = new Map<string, Storage>();
  if (next() !== magic) throw new Error('it is a pickle, but not one that torch.save wrote');
  next();
  const system = next();
  if (system instanceof Map && system.get('little_endian') === false) throw new Error('its numbers are big-endian');
  const value = next();
  const keys = next();
  if (!Array.isArray(keys)) throw new Error('it has no list of its storages');
  const places = new Map<string, number>();
  for (const key of keys.map(String)) {
    const storage = storages.get(key);
    if (!storage) throw new Error(`its storage ${key} belongs to no tensor`);
    const length = Buffer.from(await readBytes(file, path, end, Math.min(8, size - end)));
    if (length.length < 8) throw new Error(`it ends before its storage ${key}`);
    if (length.readBigInt64LE() !== BigInt(storage.length)) {
      throw new Error(
        `its storage ${key} has ${length.readBigInt64LE()} elements, but ${storage.length} according to its pickle`,
      );
    }
    places.set(key, end + 8);
    end += 8 + storage.length * elementWidth(storage.dtype, `its storage ${key}`);
    if (end > size) throw new Error(`it ends within its storage ${key}`);
  }
  return {
    value,
    bytesOf: async ({ key }, begin, end) => {
      const place = places.get(key);
      if (place === undefined) throw new Error(`its storage ${key} is missing`);
      return readBytes(file, path, place + begin, end - begin);
    },
  };
}

function readerOf(storages = new Map<string, Storage>()) {
  return {
    persistent: (id: Pickled) => {
      const [kind, type, key, , length, view = null] = Array.isArray(id) ? id : [];
      const dtype =
        type instanceof Global ? /^torch\.(?:(\w+)Storage|storage\.(Untyped)Storage)$/.exec(type.name) : null;
      const isWhole = Number.isSafeInteger(length) && (length as number) >= 0;
      if (kind !== 'storage' || !dtype || !isWhole)
        throw new Error(
          `its pickle refers to ${type instanceof Global ? type.name : String(kind)}, which is not a storage`,
        );
      if (view !== null)
        throw new Error(`its storage ${String(key)} is a view of another storage, as in files from before PyTorch 0.4`);
      const name = dtype[2] ?? dtype[1]!;
      const storage = { key: String(key), dtype: storageTypes.get(name) ?? name, length: length as number };
      storages.set(storage.key, storage);
      return storage;
    },
    call: (name: string, args: readonly Pickled[]): Pickled | undefined => calls.get(name)?.(args),
  };
}

/** All that is understood of what pickles name. */
const calls = new Map<string, (args: readonly Pickled[]) => Pickled>(
  Object.entries({
    'torch._utils._rebuild_tensor': ([storage, offset, shape, strides]) => described(storage, offset, shape, strides),
    'torch._utils._rebuild_tensor_v2': ([storage, offset, shape, strides]) =>
      described(storage, offset, shape, strides),
    'torch._utils._rebuild_tensor_v3': ([storage, offset, shape, strides, , , dtype]) =>
      described(storage, offset, shape, strides, dtype),
    'torch._utils._rebuild_parameter': ([tensor]) => tensor,
    'torch._utils._rebuild_parameter_with_state': ([tensor]) => tensor,
    'torch.Size': ([lengths]) => lengths,
    'torch.device': (words) => words.join(':'),
    'collections.OrderedDict': ([pairs]) => new Map((pairs ?? []) as [Pickled, Pickled][]),
    'collections.Counter': ([counts]) => counts ?? new Map(),
    'builtins.set': ([items]) => items ?? [],
    '__builtin__.set': ([items]) => items ?? [],
    'argparse.Namespace': () => new Fields(),
  }),
);

function described(storage: Pickled, offset: Pickled, shape: Pickled, strides: Pickled, type?: Pickled): Described {
  const whole = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
  const list = (value: unknown): value is number[] => Array.isArray(value) && value.every((each) => whole(each));
  const { dtype, length } = (storage ?? {}) as Partial<Storage>;
  if (typeof dtype !== 'string' || !whole(length) || !whole(offset) || !list(shape) || !list(strides)) {
    throw new Error('its pickle describes a tensor without storage, offset, shape and strides');
  }
  const own = type instanceof Global ? (elementTypes.get(type.name.replace('torch.', '')) ?? type.name) : undefined;
  const elements = own === undefined ? length : length / elementWidth(own, 'a tensor');
  const layout = { offset, shape, strides };
  const count = shape.reduce((product, side) => product * side, 1);
  if (strides.length !== shape.length || spanOf(layout)[1] > elements || count > elements) {
    throw new Error(
      `its tensor of shape [${shape}], strides [${strides}] and offset ${offset} does not fit its storage of ${elements} ` +
        'elements (of an expanded tensor, save a contiguous copy)',
    );
  }
  return new Described(storage as Storage, layout, own);
}

/** The tensors in nested dictionaries and lists, with their names. */
function* describedIn(value: Pickled, name = '', seen = new Set<Pickled>()): Generator<[string, Described]> {
  if (value instanceof Described) yield [name === '' ? 'tensor' : name, value];
  else if ((value instanceof Map || Array.isArray(value)) && !seen.has(value) && name.split('.').length < 100) {
    // Each once: what a pickle recalls again and again would have no end.
    seen.add(value);
    for (const [key, inner] of value instanceof Map ? value : value.entries()) {
      yield* describedIn(inner, name === '' ? String(key) : `${name}.${String(key)}`, seen);
    }
  }
}

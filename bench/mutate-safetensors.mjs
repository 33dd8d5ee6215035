/*
 * Damage to safetensors files, for the campaign `safetensors-fuzz` and for test/engine/safetensors.test.ts.
 */

/** @typedef {{ integer(bound: number): number }} Generator draws whole numbers below `bound` */

/** @param {Buffer} file */
function parts(file) {
  const length = Number(file.readBigUInt64LE(0));
  return { header: JSON.parse(file.toString('utf8', 8, 8 + length)), data: file.subarray(8 + length) };
}

/** @param {unknown} header an object, or text as it is to stand there */
function joined(header, data) {
  const text = Buffer.isBuffer(header)
    ? header
    : Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, data]);
}

/** Changes the header as an object. */
const inHeader = (change) => (file, generator) => {
  const { header, data } = parts(file);
  const names = Object.keys(header).filter((name) => name !== '__metadata__');
  const pick = () => names[generator.integer(names.length)];
  const changed = change(header, pick, generator) ?? header;
  return joined(changed, data);
};

/** Changes one tensor's entry whose elements take bytes. */
const inEntry = (change) =>
  inHeader((header, pick, generator) => {
    let name = pick();
    while (header[name].data_offsets[0] === header[name].data_offsets[1]) name = pick();
    change(header[name], generator);
  });

/**
 * Twenty ways to make a file that no reader may take, by name.
 *
 * @type {Record<string, (file: Buffer, generator: Generator) => Buffer>}
 */
export const hostile = {
  'a file cut in its first bytes': (file, generator) => file.subarray(0, generator.integer(8)),
  'a file cut in its header': (file, generator) => {
    const end = 8 + Number(file.readBigUInt64LE(0));
    return file.subarray(0, 8 + generator.integer(end - 8));
  },
  'a file cut in its elements': (file, generator) => {
    const begin = 8 + Number(file.readBigUInt64LE(0));
    return file.subarray(0, begin + generator.integer(file.length - begin));
  },
  'bytes behind the last tensor': (file, generator) => Buffer.concat([file, Buffer.alloc(1 + generator.integer(64))]),
  'a header of exabytes': (file, generator) => {
    const changed = Buffer.from(file);
    changed.writeBigUInt64LE(2n ** 56n + BigInt(generator.integer(2 ** 30)), 0);
    return changed;
  },
  'a header that ends behind the file': (file, generator) => {
    const changed = Buffer.from(file);
    changed.writeBigUInt64LE(BigInt(file.length - 7 + generator.integer(1000)), 0);
    return changed;
  },
  'bytes that are no UTF-8': inHeader((header, pick) => {
    const text = Buffer.from(JSON.stringify(header));
    text[text.indexOf(`"${pick()}"`) + 1] = 0xff;
    return text;
  }),
  'a header without its end': inHeader((header) => JSON.stringify(header).slice(0, -1)),
  'a header that is a list': inHeader((header) => [header]),
  'a header of ten thousand brackets': inHeader(
    (_header, pick) => `{"${pick()}":${'['.repeat(1e4)}${']'.repeat(1e4)}}`,
  ),
  'offsets the wrong way round': inEntry((entry) => void entry.data_offsets.reverse()),
  'offsets that reach behind the file': inEntry((entry, generator) => {
    entry.data_offsets[1] += 1 + generator.integer(2 ** 40);
  }),
  'tensors that overlap': inEntry((entry, generator) => {
    entry.data_offsets[0] += entry.data_offsets[0] === 0 ? 1 : -1 - generator.integer(entry.data_offsets[0]);
  }),
  'offsets beyond 64 bits': inHeader((header, pick) => {
    const name = pick();
    return JSON.stringify(header).replace(
      `"${name}":`,
      `"${name}":{"dtype":"F32","shape":[1],"data_offsets":[0,1e30]},"x":`,
    );
  }),
  'a negative offset': inEntry((entry) => {
    entry.data_offsets[0] = -1 - entry.data_offsets[0];
  }),
  'a larger shape': inEntry((entry, generator) => void entry.shape.push(2 + generator.integer(1000))),
  'a shape whose product overflows': inEntry((entry) => {
    entry.shape = [2 ** 31, 2 ** 31, 2 ** 31];
  }),
  'a length that is text': inEntry((entry) => {
    entry.shape = [String(entry.shape[0] ?? 1)];
  }),
  'a type that does not exist': inEntry((entry) => {
    entry.dtype = 'F31';
  }),
  'a tensor without offsets': inEntry((entry) => {
    delete entry.data_offsets;
  }),
};

/** Damage that may leave a good file: both readers must say the same of it. */
const neutral = {
  'a byte of the header': (file, generator) => {
    const changed = Buffer.from(file);
    const end = 8 + Number(file.readBigUInt64LE(0));
    changed[8 + generator.integer(end - 8)] = generator.integer(256);
    return changed;
  },
  'a bit of any byte': (file, generator) => {
    const changed = Buffer.from(file);
    changed[generator.integer(file.length)] ^= 1 << generator.integer(8);
    return changed;
  },
  'a piece of the header twice': (file, generator) => {
    const end = 8 + Number(file.readBigUInt64LE(0));
    const begin = 8 + generator.integer(end - 8);
    const piece = file.subarray(begin, Math.min(end, begin + 1 + generator.integer(60)));
    return joined(Buffer.concat([file.subarray(8, begin), piece, file.subarray(begin, end)]), file.subarray(end));
  },
  'a character of JSON': (file, generator) => {
    const changed = Buffer.from(file);
    const end = 8 + Number(file.readBigUInt64LE(0));
    const marks = '{}[]",:-.e0 \\u\t';
    changed[8 + generator.integer(end - 8)] = marks.charCodeAt(generator.integer(marks.length));
    return changed;
  },
  'another type': inHeader((header, pick, generator) => {
    const types = ['F64', 'F32', 'F16', 'BF16', 'I64', 'I32', 'I16', 'I8', 'U8', 'BOOL', 'F8_E4M3', 'C64'];
    header[pick()].dtype = types[generator.integer(types.length)];
  }),
  'another shape': inHeader((header, pick, generator) => {
    const { shape } = header[pick()];
    shape.splice(generator.integer(shape.length + 1), generator.integer(2), generator.integer(4));
  }),
  'other metadata': inHeader((header, _pick, generator) => {
    header.__metadata__ = [null, {}, [], 'text', { a: 1 }, { a: null }, { a: 'b' }, 3][generator.integer(8)];
  }),
  'an unknown field': inEntry((entry, generator) => {
    entry.more = [null, 1, 'x', { y: [1, 2.5, -3] }][generator.integer(4)];
  }),
  'spaces around the header': inHeader((header, _pick, generator) => {
    const text = JSON.stringify(header);
    return [` ${text}`, `${text}\n\t `, `\ufeff${text}`, `${text}\0`, `${text}{}`][generator.integer(5)];
  }),
};

const all = Object.entries({ ...hostile, ...neutral });

/**
 * One damaged file.
 *
 * @param {Buffer} file a good one
 * @param {Generator} generator
 */
export function mutated(file, generator) {
  const [kind, change] = all[generator.integer(all.length)];
  return { kind, bytes: change(file, generator) };
}

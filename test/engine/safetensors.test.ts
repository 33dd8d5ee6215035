import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { hostile } from '../../bench/mutate-safetensors.mjs';
import { key } from '../../src/base/index.js';
import { openSafetensors, readSafetensors, tf, writeSafetensors } from '../../src/engine/index.js';

const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/torch-safetensors/${name}`, import.meta.url));
const library = fixture('library.safetensors');
const folder = mkdtempSync(join(tmpdir(), 'safetensors-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('safetensors', () => {
  it('reads a file of the library itself', async () => {
    const { tensors, metadata } = await readSafetensors(library);
    expect(metadata).toEqual({ format: 'pt', note: 'größer' });
    const weight = tensors['layer1.0.conv1.weight']!;
    expect(weight.shape).toEqual([2, 3, 4]);
    expect(Array.from(weight.dataSync())).toEqual(Array.from({ length: 24 }, (_, i) => Math.fround(i / 7)));
    expect(Array.from(tensors['bn1.num_batches_tracked']!.dataSync())).toEqual([7]);
    expect(Array.from(tensors.counts!.dataSync())).toEqual([-1, 2 ** 31 - 1]);
    expect(Array.from(tensors.mask!.dataSync())).toEqual([1, 0, 1]);
    expect(Array.from(tensors.bytes!.dataSync())).toEqual([0, 255]);
    expect(tensors.empty!.shape).toEqual([0, 3]);
  });

  it('reads every type into what holds it exactly', async () => {
    const { tensors } = await readSafetensors(fixture('types.safetensors'));
    const read = Object.fromEntries(
      Object.entries(tensors).map(([name, tensor]) => [name, [tensor.dtype, tensor.shape, [...tensor.dataSync()]]]),
    );
    const { NaN: nan, POSITIVE_INFINITY: infinity } = Number;
    // 1e-40 and 3.3e38 as they are in 8 bits of fraction.
    const bfloat16 = [1.5, -0, 1 * 2 ** -133, 248 * 2 ** 120, infinity, nan];
    expect(read).toEqual({
      F64: ['float32', [3], [0.5, -0, infinity]],
      F32: ['float32', [2, 2], [1.5, -0, Math.fround(1e-45), Math.fround(3.4e38)]],
      F16: ['float32', [6], [1.5, -0, 2 ** -24, 65504, -infinity, nan]],
      BF16: ['float32', [6], bfloat16],
      I64: ['int32', [2], [-(2 ** 31), 2 ** 31 - 1]],
      I32: ['int32', [2], [-(2 ** 31), 2 ** 31 - 1]],
      I16: ['int32', [2], [-(2 ** 15), 2 ** 15 - 1]],
      I8: ['int32', [2], [-128, 127]],
      U16: ['int32', [2], [0, 2 ** 16 - 1]],
      U8: ['int32', [2], [0, 255]],
      BOOL: ['bool', [1, 1, 2], [1, 0]],
      scalar: ['float32', [], [3.25]],
      none: ['float32', [2, 0], []],
    });
  });

  it('writes the bytes that the library writes', async () => {
    const { tensors, metadata } = await readSafetensors(fixture('written.safetensors'));
    const path = join(folder, 'written-again');
    await writeSafetensors(path, tensors, metadata);
    expect(readFileSync(path).equals(readFileSync(fixture('written.safetensors')))).toBe(true);
    // Whatever the order that they come in, the widest elements lie first.
    await writeSafetensors(path, { mask: tf.tensor1d([true, false, true], 'bool'), weight: tf.scalar(2) });
    const header = readFileSync(path).toString('latin1');
    expect(header).toMatch(/"mask":\{"dtype":"BOOL","shape":\[3\],"data_offsets":\[4,7\]\}/);
    rmSync(path);
  });

  it('gives back what it wrote, bit by bit, and leaves no partial file', async () => {
    const path = join(folder, 'a.safetensors');
    const values = new Float32Array([0, -0, 1e-45, Number.MAX_VALUE, 1 / 3, Number.NaN]);
    const tensors = {
      'layer1.0.weight': tf.tensor(values, [2, 3]),
      größe: tf.tensor1d([-5, 7], 'int32'),
      mask: tf.tensor1d([true, false], 'bool'),
      scalar: tf.scalar(3),
    };
    await writeSafetensors(path, tensors, { step: '3' });
    const back = await readSafetensors(path);
    expect(back.metadata).toEqual({ step: '3' });
    expect(Object.keys(back.tensors)).toEqual(Object.keys(tensors));
    const bits = (array: ArrayLike<number>) => new Uint32Array(Float32Array.from(array).buffer);
    expect(bits(back.tensors['layer1.0.weight']!.dataSync())).toEqual(bits(values));
    expect(Array.from(back.tensors.größe!.dataSync())).toEqual([-5, 7]);
    expect(Array.from(back.tensors.mask!.dataSync())).toEqual([1, 0]);
    expect(back.tensors.scalar!.shape).toEqual([]);
    expect(readdirSync(folder)).toEqual(['a.safetensors']);

    const again = join(folder, 'b.safetensors');
    await writeSafetensors(again, back.tensors, back.metadata);
    expect(readFileSync(again).equals(readFileSync(path))).toBe(true);
  });

  it('says what is wrong with a broken file', async () => {
    const whole = readFileSync(library);
    const broken = async (name: string, bytes: Uint8Array) => {
      writeFileSync(join(folder, name), bytes);
      const before = tf.memory().numTensors;
      const error = await readSafetensors(join(folder, name)).catch((error: Error) => error);
      expect(tf.memory().numTensors).toBe(before);
      return (error as Error).message;
    };
    expect(await broken('short', whole.subarray(0, 5))).toMatch(
      /short is not a complete safetensors file: it has 5 bytes/,
    );
    expect(await broken('header', whole.subarray(0, 100))).toMatch(/header would end at byte \d+ of 100/);
    expect(await broken('tail', whole.subarray(0, whole.length - 1))).toMatch(
      /its tensors have \d+ bytes, and \d+ are there/,
    );
    expect(await broken('more', Buffer.concat([whole, Buffer.alloc(1)]))).toMatch(/its tensors have/);
    const noise = Buffer.from(whole);
    noise[9] = 0x20;
    expect(await broken('noise', noise)).toMatch(/header is not JSON/);
    await expect(readSafetensors(join(folder, 'absent'))).rejects.toThrow(/absent/);
  });

  const written = (header: unknown, bytes = 0): string => {
    const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header), 'latin1');
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(text.length));
    const path = join(folder, 'written');
    writeFileSync(path, Buffer.concat([length, text, Buffer.alloc(bytes)]));
    return path;
  };
  const at = (begin: unknown, end: unknown, shape: unknown = [1]) => ({
    dtype: 'F32',
    shape,
    data_offsets: [begin, end],
  });

  it.each<[string, unknown, number, RegExp]>([
    ['tensors that overlap', { a: at(0, 4), b: at(2, 6) }, 6, /"b" begins at byte 2, and not at 4/],
    ['a hole', { a: at(0, 4), b: at(8, 12) }, 12, /"b" begins at byte 8, and not at 4/],
    ['bytes that no tensor has', { a: at(0, 4) }, 5, /its tensors have 4 bytes, and 5 are there/],
    [
      'a name twice',
      '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
      4,
      /occurs twice/,
    ],
    ['a key twice', '{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}', 4, /occurs twice/],
    ['a fraction', { a: at(0, 4.5) }, 5, /a number in its header is not whole/],
    ['null for an offset', { a: at(null, 4) }, 4, /"a" has no dtype/],
    ['null for a tensor', { x: null }, 0, /"x" has no dtype/],
    ['a negative length', { a: at(0, 4, [-1]) }, 4, /a number in its header is not whole/],
    ['a list', [1], 0, /its header is not an object/],
    ['a space before the header', ' {}', 0, /its header is not an object/],
    ['bytes that are no UTF-8', '{"\xff":1}', 0, /its header is not JSON/],
    ['metadata that is not text', { __metadata__: { step: 3 } }, 0, /metadata is not an object of texts/],
    ['fewer bytes than its shape', { a: at(0, 4, [2]) }, 4, /"a" \[2\] needs 8 bytes, and has 0 to 4/],
    ['a type that is not read', { a: { ...at(0, 1), dtype: 'F8_E5M2' } }, 1, /"a" is F8_E5M2; pathlab reads F64/],
  ])('refuses %s', async (_, header, bytes, message) => {
    const before = tf.memory().numTensors;
    const path = written(header, bytes);
    await expect(readSafetensors(path)).rejects.toThrow(message);
    await expect(readSafetensors(path)).rejects.toThrow(path);
    expect(tf.memory().numTensors).toBe(before);
  });

  it.each<[string, string, number[], RegExp]>([
    [
      'a float64',
      'F64',
      [0x9a, 0x99, 0x99, 0x99, 0x99, 0x99, 0xb9, 0x3f],
      /"a" holds 0\.1, which float32 cannot represent; save/,
    ],
    ['a whole number', 'U64', [0, 0, 0, 0x80, 0, 0, 0, 0], /"a" holds 2147483648, which int32 cannot represent/],
    ['a truth', 'BOOL', [2], /"a" holds 2, which is neither true nor false/],
  ])('refuses %s that the engine does not hold', async (_, dtype, bytes, message) => {
    const path = written({ a: { ...at(0, bytes.length), dtype } }, bytes.length);
    const file = readFileSync(path);
    file.set(bytes, file.length - bytes.length);
    writeFileSync(path, file);
    await expect(readSafetensors(path)).rejects.toThrow(message);
    await expect(readSafetensors(path)).rejects.toThrow(path);
  });

  it.each(Object.entries(hostile))('says one clear thing of %s', async (kind, damage) => {
    const path = join(folder, 'hostile');
    const good = readFileSync(fixture('types.safetensors'));
    for (const seed of [1, 2, 3]) {
      writeFileSync(path, damage(good, key(kind).fold(seed).generator()));
      const error = (await readSafetensors(path).catch((error: Error) => error)) as Error;
      expect(error.message).toMatch(/^[^\n]*hostile( is not a complete safetensors file: |: the tensor )[^\n]+$/);
    }
  });

  it('reads one tensor of a file that is larger than memory would hold', async () => {
    const path = join(folder, 'large.safetensors');
    const large = 4 * 2 ** 35;
    const header = JSON.stringify({
      large: { dtype: 'F32', shape: [2 ** 35], data_offsets: [0, large] },
      small: { dtype: 'F32', shape: [1], data_offsets: [large, large + 4] },
    }).padEnd(160);
    const file = openSync(path, 'w');
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    writeSync(file, Buffer.concat([length, Buffer.from(header)]));
    // What lies between is a hole, which takes no space.
    writeSync(file, Buffer.from(Float32Array.of(1.5).buffer), 0, 4, 8 + header.length + large);
    closeSync(file);
    const { tensors, close } = await openSafetensors(path);
    expect([...(await tensors.small!.read()).dataSync()]).toEqual([1.5]);
    await close();
    rmSync(path);
  });

  it('names what Git LFS left', async () => {
    const path = join(folder, 'pointer');
    writeFileSync(path, 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n');
    await expect(readSafetensors(path)).rejects.toThrow(/is a Git LFS pointer/);
  });

  it('keeps a tensor of any name, and writes none that the format does not hold', async () => {
    const path = join(folder, 'names');
    const named = (name: string) => Object.fromEntries([[name, tf.scalar(3)]]);
    for (const name of ['__proto__', '', 'a":"b', '🎉']) {
      await writeSafetensors(path, named(name));
      const { tensors } = await readSafetensors(path);
      expect(Object.entries(tensors).map(([each, tensor]) => [each, tensor.dataSync()[0]])).toEqual([[name, 3]]);
    }
    await expect(writeSafetensors(path, named('__metadata__'))).rejects.toThrow(/no tensor can be called/);
    await expect(writeSafetensors(path, named('\ud800'))).rejects.toThrow(/not valid Unicode text/);
    await expect(writeSafetensors(path, {}, { step: 3 as never })).rejects.toThrow(/"step" is number, not text/);
  });
});

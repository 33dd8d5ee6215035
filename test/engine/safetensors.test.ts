import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { readSafetensors, tf, writeSafetensors } from '../../src/engine/index.js';

const library = fileURLToPath(new URL('../fixtures/torch-safetensors/library.safetensors', import.meta.url));
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
    expect(await broken('short', whole.subarray(0, 5))).toMatch(/short is no whole safetensors file: it has 5 bytes/);
    expect(await broken('header', whole.subarray(0, 100))).toMatch(/header would end at byte \d+ of 100/);
    expect(await broken('tail', whole.subarray(0, whole.length - 1))).toMatch(/the tensor ".*" .* needs/);
    const noise = Buffer.from(whole);
    noise[9] = 0x20;
    expect(await broken('noise', noise)).toMatch(/header is not JSON/);
    await expect(readSafetensors(join(folder, 'absent'))).rejects.toThrow(/absent/);
  });
});

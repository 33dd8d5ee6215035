import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { conv2d, maxPool, type Tensor, tf, writeSavedModel } from '../../src/engine/index.js';

const folder = mkdtempSync(join(tmpdir(), 'saved-model-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('writeSavedModel', () => {
  it('writes what TensorFlow loads, with the same values', async () => {
    const weight = tf.randomNormal([3, 3, 2, 4], 0, 1, 'float32', 1) as Tensor;
    const bias = tf.tensor1d([1, 2, 3, 4]);
    const compute = (images: Tensor) => {
      const map = conv2d(images, weight, { stride: 2, padding: 1 }).add(bias);
      return { map, mean: map.mean([1, 2]).mul(tf.scalar(2)) };
    };
    const before = tf.memory().numTensors;
    await writeSavedModel(folder, compute, { name: 'images', shape: [2, 8, 8, 2] });
    expect(tf.memory().numTensors).toBe(before);
    expect(readdirSync(folder)).toEqual(['saved_model.pb']);
    const model = await tf.node.loadSavedModel(folder);
    const images = tf.randomNormal([2, 8, 8, 2], 0, 1, 'float32', 2);
    const given = model.predict({ images }) as Record<string, Tensor>;
    const expected = compute(images);
    expect(Object.keys(given).sort()).toEqual(['map', 'mean']);
    for (const name of ['map', 'mean'] as const) {
      expect(given[name]!.shape).toEqual(expected[name].shape);
      const [one, other] = [given[name]!.dataSync(), expected[name].dataSync()];
      expect(Math.max(...one.map((value, i) => Math.abs(value - other[i]!)))).toBeLessThan(1e-5);
    }
    model.dispose();
  });

  it("refuses pathlab's own ops, which other programs do not have", async () => {
    const compute = (images: Tensor) => ({ pooled: maxPool(images, { size: 3, stride: 2, padding: 1 }) });
    await expect(writeSavedModel(folder, compute, { name: 'images', shape: [1, 8, 8, 2] })).rejects.toThrow(
      /cannot hold Pathlab\w+, which is pathlab's own: set PATHLAB_CUSTOM_OPS=off/,
    );
  });
});

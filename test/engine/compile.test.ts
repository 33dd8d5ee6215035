import { describe, expect, it } from 'vitest';
import { compile, gradients, tf } from '../../src/engine/index.js';

describe('compile', () => {
  it('runs', async () => {
    const step = compile((w: any, x: any) => {
      const { loss, gradients: g } = gradients({ w }, ({ w }) => ({ loss: tf.matMul(x, w!).square().mean() as any }));
      return { loss, w: w.sub(g.w!.mul(0.1)) };
    });
    const w = tf.randomNormal([3, 2]), x = tf.randomNormal([4, 3]);
    const n = tf.memory().numTensors;
    const a = await step(w, x);
    const b = await step(w, x);
    console.log(a.loss.dataSync(), b.loss.dataSync(), tf.matMul(x, w as any).square().mean().dataSync(), tf.memory().numTensors - n);
  });
});

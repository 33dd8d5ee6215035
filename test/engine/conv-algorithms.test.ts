import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  autotuneConvolutions,
  ConvAlgorithms,
  type ConvolutionShape,
  compile,
  conv2d,
  depthwiseConv2d,
  describeConvolution,
  type GradientAlgorithm,
  gradients,
  supportedAlgorithms,
  type Tensor,
  tf,
} from '../../src/engine/index.js';
import { expectAlike, normal } from './close.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pathlab-forms-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Of the sum of squares of a convolution's output, by its weight. */
const stepOf = ({ kind, stride, padding }: ConvolutionShape) => {
  const options = { stride, padding: padding === 'SAME' ? ('same' as const) : 0 };
  const convolve = kind === 'depthwise' ? depthwiseConv2d : conv2d;
  return (x: Tensor, weight: Tensor) =>
    gradients({ weight }, ({ weight }) => ({
      loss: convolve(x, weight!, options).square().sum() as tf.Scalar,
      extra: {},
    })).gradients.weight!;
};

describe('forms of the weight gradient', () => {
  test.each<ConvolutionShape>([
    { kind: 'convolution', x: [2, 7, 6, 3], weight: [1, 1, 3, 4], stride: 1, padding: 'VALID' },
    { kind: 'convolution', x: [2, 7, 6, 3], weight: [1, 1, 3, 4], stride: 2, padding: 'VALID' },
    { kind: 'convolution', x: [2, 7, 6, 3], weight: [3, 3, 3, 4], stride: 1, padding: 'SAME' },
    { kind: 'convolution', x: [2, 9, 8, 3], weight: [3, 3, 3, 4], stride: 2, padding: 'VALID' },
    { kind: 'convolution', x: [2, 9, 8, 3], weight: [2, 5, 3, 4], stride: 3, padding: 'VALID' },
    { kind: 'convolution', x: [2, 9, 8, 3], weight: [1, 7, 3, 4], stride: 1, padding: 'SAME' },
    { kind: 'convolution', x: [2, 9, 8, 3], weight: [3, 3, 3, 4], stride: 2, padding: 'SAME' },
    { kind: 'depthwise', x: [2, 9, 8, 3], weight: [5, 5, 3, 1], stride: 2, padding: 'SAME' },
    { kind: 'depthwise', x: [2, 7, 6, 3], weight: [3, 3, 3, 1], stride: 1, padding: 'VALID' },
    { kind: 'depthwise', x: [2, 8, 9, 3], weight: [3, 2, 3, 2], stride: 2, padding: 'VALID' },
  ])('agree for $kind of $weight with stride $stride', async (shape) => {
    const [x, weight] = [normal([...shape.x], 'x'), normal([...shape.weight], 'weight')];
    const results: Tensor[] = [];
    for (const form of supportedAlgorithms(shape)) {
      const convAlgorithms = new ConvAlgorithms({ [describeConvolution(shape, 'float32')]: form });
      const step = compile(stepOf(shape), { convAlgorithms });
      results.push(await step(x, weight));
      step.dispose();
    }
    expect(results.length).toBe(2);
    // The same sums in another order.
    expectAlike(results[1]!, results[0]!, 5e-6);
  });
});

describe('measuring', () => {
  const shape: ConvolutionShape = {
    kind: 'convolution',
    x: [2, 8, 8, 4],
    weight: [3, 3, 4, 4],
    stride: 1,
    padding: 'SAME',
  };
  const step = stepOf(shape);

  test('finds a form for each convolution of a step, once, and remembers it in its file', async () => {
    const file = join(folder, 'forms.json');
    const forms = await ConvAlgorithms.load(file);
    const [x, weight] = [normal([...shape.x], 'x'), normal([...shape.weight], 'weight')];
    const before = tf.memory().numTensors;
    const { measured, table } = await autotuneConvolutions(step, [x, weight], { forms });
    expect(tf.memory().numTensors).toBe(before);
    expect(measured).toBe(1);
    const name = '3x3/1 convolution of [2, 8, 8, 4] to 4 channels, SAME, float32';
    expect(Object.keys(table)).toEqual([name]);
    expect(supportedAlgorithms(shape)).toContain(table[name]);

    await forms.save();
    const again = await ConvAlgorithms.load(file);
    expect(again.table).toEqual(table);
    expect((await autotuneConvolutions(step, [x, weight], { forms: again })).measured).toBe(0);
    // bfloat16 is another convolution.
    expect((await autotuneConvolutions(step, [x, weight], { forms: again, precision: 'bfloat16' })).measured).toBe(1);
    await again.save();
    expect(Object.values(JSON.parse(readFileSync(file, 'utf8')))).toEqual([again.table]);
  });

  test('leaves alone what is known', async () => {
    for (const form of supportedAlgorithms(shape)) {
      const forms = new ConvAlgorithms({ [describeConvolution(shape, 'float32')]: form });
      const { measured, table } = await autotuneConvolutions(
        step,
        [normal([...shape.x], 'x'), normal([...shape.weight], 'weight')],
        { forms },
      );
      expect([measured, Object.values(table)]).toEqual([0, [form]]);
    }
  });

  test('refuses a file or a table of something else', async () => {
    const file = join(folder, 'broken.json');
    writeFileSync(file, '[1]');
    await expect(ConvAlgorithms.load(file)).rejects.toThrow(/broken.json has no valid convolution algorithms/);
    expect(() => new ConvAlgorithms({ a: 'fast' as GradientAlgorithm })).toThrow(/product, shifts; got "fast"/);
  });
});

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { record } from '../../src/engine/compile/record.js';
import { leavesOf } from '../../src/engine/compile/tree.js';
import { withWinograd } from '../../src/engine/compile/winograd.js';
import {
  addBias,
  attribute,
  compile,
  conv2d,
  executeOp,
  hasCustomOps,
  relu,
  type Tensor,
  tf,
} from '../../src/engine/index.js';
import { convolutionAttributes, shapeOf } from '../../src/engine/ops/convolution-attributes.js';
import { expectAlike, normal } from './close.js';
import { checkGradient } from './numeric-gradient.js';

const loaded = tf.backend() !== undefined && hasCustomOps();
const convolution = convolutionAttributes(1, 'SAME');

function winograd(x: Tensor, weight: Tensor, { transposed = false, relu = false, bias = [] as Tensor[] } = {}): Tensor {
  const attributes = [attribute.bool('relu', relu), attribute.int('biases', bias.length)];
  return executeOp(`PathlabWinogradConv2D${transposed ? 'Transposed' : ''}`, attributes, [x, weight, ...bias], 1)[0]!;
}

describe.skipIf(!loaded)("Winograd's convolution", () => {
  const cases: [x: [batch: number, height: number, width: number, channels: number], out: number][] = [
    [[1, 1, 1, 1], 1],
    [[1, 3, 2, 5], 3],
    [[1, 4, 4, 16], 16],
    [[2, 9, 13, 17], 35],
    [[5, 7, 7, 64], 96],
    [[1, 30, 31, 24], 200],
  ];
  for (const [shape, out] of cases) {
    it(`of [${shape}] to ${out} channels, with bias and relu or without, gives TensorFlow's values`, () => {
      const x = normal(shape, 'x');
      const weight = normal([3, 3, shape[3], out], 'weight');
      const expected = executeOp('Conv2D', convolution, [x, weight], 1)[0]!;
      expectAlike(winograd(x, weight), expected, 2e-5);
      const bias = normal([out], 'bias');
      expectAlike(winograd(x, weight, { bias: [bias], relu: true }), tf.relu(expected.add(bias)), 2e-5);
    });

    it(`of [${shape}] to ${out} channels, transposed, gives TensorFlow's gradient of the input`, () => {
      const dy = normal(shape, 'dy');
      const weight = normal([3, 3, out, shape[3]], 'weight');
      const sizes = shapeOf([...shape.slice(0, 3), out]);
      const expected = executeOp('Conv2DBackpropInput', convolution, [sizes, weight, dy], 1)[0]!;
      expectAlike(winograd(dy, weight, { transposed: true }), expected, 2e-5);
    });
  }

  it('gives an image the same bits in any batch', () => {
    const x = normal([7, 11, 9, 64], 'x');
    const weight = normal([3, 3, 64, 64], 'weight');
    const alone = winograd(x.slice([5, 0, 0, 0], [1, 11, 9, 64]), weight);
    expect(alone.dataSync()).toEqual(winograd(x, weight).slice([5, 0, 0, 0], [1, 11, 9, 64]).dataSync());
  });

  it('gives the same bits on any number of threads', () => {
    const program = `
      const { compile, conv2d, randomNormal } = await import('./dist/engine/index.js');
      const { key } = await import('./dist/base/index.js');
      const inputs = [randomNormal(key(1), [3, 21, 21, 64]), randomNormal(key(2), [3, 3, 64, 192])];
      const y = await compile((x, weight) => conv2d(x, weight, { padding: 1 }))(...inputs);
      console.log(require('node:crypto').createHash('sha256').update(await y.data()).digest('hex'));`;
    const hashes = ['1', '2', '5'].map((threads) => {
      const env = { ...process.env, TF_NUM_INTRAOP_THREADS: threads };
      return spawnSync(process.execPath, ['-e', `(async () => {${program}})()`], { encoding: 'utf8', env }).stdout;
    });
    expect(hashes[0]).toMatch(/^[0-9a-f]{64}\n$/);
    expect(new Set(hashes).size).toBe(1);
  });

  const compiler = process.env.CXX ?? 'g++';
  const canCompile = process.platform === 'linux' && spawnSync(compiler, ['--version']).status === 0;
  it.skipIf(!canCompile)('ends in an error, and not the process, where a thread has no memory to work in', () => {
    const folder = mkdtempSync(join(tmpdir(), 'winograd-'));
    const library = join(folder, 'refuse.so');
    // What a block of 24 tiles of 64 channels takes for its inputs. The second image has four tiles, a block of another size.
    const refused = 36 * (24 * 64 + 16) * 4;
    const source = `
      #include <cstdlib>
      #include <new>
      void *operator new[](std::size_t size) {
        void *memory = size == ${refused} ? nullptr : std::malloc(size);
        if (!memory) throw std::bad_alloc();
        return memory;
      }
      void operator delete[](void *memory) noexcept { std::free(memory); }`;
    const program = `
      const { attribute, executeOp, tf } = await import('./dist/engine/index.js');
      const attributes = [attribute.bool('relu', false), attribute.int('biases', 0)];
      for (const [height, channels] of [[16, 64], [4, 32]]) {
        const inputs = [tf.ones([4, height, height, channels]), tf.ones([3, 3, channels, 16])];
        try {
          console.log(executeOp('PathlabWinogradConv2D', attributes, inputs, 1)[0].dataSync()[0]);
        } catch (error) {
          console.log(error.message);
        }
      }`;
    try {
      spawnSync(compiler, ['-shared', '-fPIC', '-x', 'c++', '-', '-o', library], { input: source });
      const env = { ...process.env, LD_PRELOAD: library };
      const run = spawnSync(process.execPath, ['-e', `(async () => {${program}})()`], { encoding: 'utf8', env });
      const said = run.stdout.trim().split('\n');
      expect(run.stdout, run.stderr).toMatch(/PathlabWinogradConv2D[\s\S]*out of memory for intermediate values/);
      // Another op goes on.
      expect(Number(said.at(-1))).toBeCloseTo(4 * 32, 3);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('keeps what is not a number', () => {
    const x = normal([1, 4, 4, 8], 'x').add(tf.oneHot(tf.tensor1d([3], 'int32'), 8).mul(Number.NaN)) as Tensor;
    expect([...winograd(x, normal([3, 3, 8, 8], 'weight'), { relu: true }).dataSync()].every(Number.isNaN)).toBe(true);
  });

  it('names what does not fit', () => {
    expect(() => winograd(tf.zeros([1, 4, 4, 3]), tf.zeros([3, 3, 4, 8]))).toThrow(
      /PathlabWinogradConv2D[\s\S]*x is \[1,4,4,3\] and the weight is \[3,3,4,8\]/,
    );
    expect(() => winograd(tf.zeros([1, 4, 4, 3]), tf.zeros([3, 3, 3, 8]), { bias: [tf.zeros([3])] })).toThrow(
      /bias is \[3\], not \[8\]/,
    );
  });
});

describe.skipIf(!loaded)('a compiled step', () => {
  const ops = (step: (...inputs: Tensor[]) => Tensor | Tensor[], inputs: Tensor[]) => {
    const { program, release } = record('step', step, inputs, leavesOf(inputs, 'input'));
    const all = withWinograd(program).ops.map(({ op }) => op);
    release();
    return all;
  };
  const x = () => normal([2, 6, 5, 64], 'x');
  const weight = (kernel = 3, channels = 64) => normal([kernel, kernel, 64, channels], 'weight');
  const own = 'PathlabWinogradConv2D';

  it('convolves by it, with the bias and relu that follow', async () => {
    const step = (x: Tensor, weight: Tensor, bias: Tensor) => relu(addBias(conv2d(x, weight, { padding: 1 }), bias));
    const inputs: [Tensor, Tensor, Tensor] = [x(), weight(), normal([64], 'bias')];
    expect(ops(step as never, inputs)).toEqual([own]);
    const compiled = compile(step);
    expectAlike(await compiled(...inputs), step(...inputs), 2e-5);
    compiled.dispose();
  });

  it('keeps a value before bias or relu that something else reads', async () => {
    const step = (x: Tensor, weight: Tensor, bias: Tensor) => {
      const y = conv2d(x, weight, { padding: 1 });
      const shifted = addBias(y, bias);
      return [y, relu(shifted), shifted.square()] as Tensor[];
    };
    const inputs: [Tensor, Tensor, Tensor] = [x(), weight(), normal([64], 'bias')];
    expect(ops(step as never, inputs)).toEqual([own, 'BiasAdd', 'Relu', 'Square']);
    const compiled = compile(step);
    const expected = step(...inputs);
    for (const [place, y] of (await compiled(...inputs)).entries()) expectAlike(y, expected[place]!, 2e-5);
    compiled.dispose();
  });

  it('leaves other convolutions to TensorFlow', () => {
    const through = (weight: Tensor, options: Parameters<typeof conv2d>[2]) =>
      ops(((x: Tensor, weight: Tensor) => conv2d(x, weight, options)) as never, [x(), weight]).includes(own);
    expect(through(weight(), { padding: 1 })).toBe(true);
    expect(through(weight(), { padding: 1, stride: 2 })).toBe(false);
    expect(through(weight(), { padding: 0 })).toBe(false);
    expect(through(weight(1), { padding: 0 })).toBe(false);
    expect(through(weight(5), { padding: 2 })).toBe(false);
    expect(through(weight(3, 63), { padding: 1 })).toBe(false);
  });

  it('has its gradient', async () => {
    const compute = ([x, weight]: Tensor[]) => conv2d(x!, weight!, { padding: 1 });
    const gradients = (x: Tensor, weight: Tensor) => tf.grads((x, weight) => compute([x, weight]).sum())([x, weight]);
    expect(ops(gradients as never, [x(), weight()])).toEqual(
      expect.arrayContaining([`${own}Transposed`, 'Conv2DBackpropFilter']),
    );
    await checkGradient(
      compute,
      [
        [2, 5, 6, 64],
        [3, 3, 64, 65],
      ],
      { twin: compute },
    );
  });

  it('has a gradient of as many channels as its input has, which other ops go on from', async () => {
    const step = (x: Tensor, weight: Tensor) =>
      tf.grad((x) =>
        conv2d(relu(x as Tensor), weight, { padding: 1 })
          .square()
          .sum(),
      )(x) as Tensor;
    const inputs: [Tensor, Tensor] = [x(), weight(3, 96)];
    expect(ops(step as never, inputs)).toContain(`${own}Transposed`);
    const compiled = compile(step);
    expectAlike(await compiled(...inputs), step(...inputs), 5e-5);
    compiled.dispose();
  });
});

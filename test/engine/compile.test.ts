import { afterEach, describe, expect, it, vi } from 'vitest';
import { type Key, key } from '../../src/base/index.js';
import { functionDef } from '../../src/engine/compile/function-def.js';
import { record } from '../../src/engine/compile/record.js';
import { leavesOf } from '../../src/engine/compile/tree.js';
import { attribute, compile, randomNormal, randomUniform, runOp, type Tensor, tf } from '../../src/engine/index.js';
import { compiled } from './compiled.js';
import { network, train } from './small-network.js';

const values = (tensor: Tensor) => Array.from(tensor.dataSync());

afterEach(() => {
  vi.restoreAllMocks();
});

const nativeTensors = () => {
  const { binding } = tf.backend() as unknown as { binding: { getNumOfTensors(): number } };
  return binding.getNumOfTensors();
};

describe('a compiled training step', () => {
  it('gives what the plain step gives', async () => {
    const plain = await train((...inputs) => tf.tidy(() => network.step(...inputs)), 8);
    const fast = await train(compiled(network.step), 8);
    expect(plain.losses[7]).toBeLessThan(plain.losses[0]!);
    for (const part of ['losses', 'weights', 'state'] as const) {
      expect(fast[part].length).toBe(plain[part].length);
      for (const [i, value] of fast[part].entries()) expect(value).toBeCloseTo(plain[part][i]!, 5);
    }
  });

  it('gives the same bits whenever it is recorded, and from its first call on', async () => {
    const step = compiled(network.step);
    const first = await train(step, 5);
    expect(await train(step, 5)).toEqual(first);
    expect(await train(compiled(network.step), 5)).toEqual(first);
  });

  it('leaves no tensors behind', async () => {
    const [before, nativeBefore] = [tf.memory().numTensors, nativeTensors()];
    const step = compile(network.step);
    const { counts } = await train(step, 6);
    expect(new Set(counts).size).toBe(1);
    step.dispose();
    expect(tf.memory().numTensors).toBe(before);
    expect(nativeTensors()).toBe(nativeBefore);
  });
});

describe('inputs and outputs', () => {
  it('are nested records and arrays', async () => {
    const step = compiled((tree: { a: Tensor; rest: [Tensor, { b: Tensor }]; none: null }, factor: number) => ({
      sums: [tree.a.add(tree.rest[0]), { product: tree.rest[1].b.mul(factor) }] as const,
      none: tree.none,
      missing: undefined,
    }));
    const output = await step({ a: tf.scalar(1), rest: [tf.scalar(2), { b: tf.scalar(3) }], none: null }, 5);
    expect(Object.keys(output)).toEqual(['sums', 'none', 'missing']);
    expect(output.none).toBe(null);
    expect(values(output.sums[0])).toEqual([3]);
    expect(values(output.sums[1].product)).toEqual([15]);
  });

  it('may be empty, which is not the same as missing', async () => {
    vi.spyOn(console, 'warn').mockImplementation(() => {});
    const step = compiled((x: Tensor, rest: unknown) => ({ x: x.add(Array.isArray(rest) ? 1 : rest ? 2 : 3), rest }));
    const outputs = [];
    for (const rest of [[], {}, undefined, []]) outputs.push(await step(tf.scalar(0), rest));
    expect(outputs.map(({ x }) => values(x)[0])).toEqual([1, 2, 3, 1]);
    expect(outputs.map(({ rest }) => rest)).toEqual([[], {}, undefined, []]);
    expect(outputs[0]!.rest).not.toBe(outputs[3]!.rest);
  });

  it('may be one and the same tensor, or captured as well', async () => {
    const one = tf.scalar(1);
    const step = compiled((a: Tensor, b: Tensor) => a.mul(100).add(b.mul(10)).add(one));
    expect(values(await step(one, one))).toEqual([111]);
    expect(values(await step(tf.scalar(2), tf.scalar(3)))).toEqual([231]);
    expect(values(await step(tf.scalar(2), one))).toEqual([211]);
  });

  it('that pass through are new tensors, and so is each place of a tensor that occurs twice', async () => {
    const step = compiled((a: Tensor, b: Tensor) => {
      const sum = a.add(b);
      return { a, sum, again: sum };
    });
    const [a, b] = [tf.scalar(1), tf.scalar(2)];
    const before = tf.memory().numTensors;
    const output = await step(a, b);
    expect(tf.memory().numTensors).toBe(before + 3);
    a.dispose();
    output.sum.dispose();
    expect([values(output.a), values(output.again)]).toEqual([[1], [3]]);
  });

  it('may have every dtype of tfjs', async () => {
    const step = compiled((x: Tensor, n: Tensor, flags: Tensor) => ({
      float: x.mul(n.toFloat()),
      int: n.add(tf.scalar(1, 'int32')),
      bool: flags.logicalNot(),
      index: x.argMax(),
    }));
    const output = await step(tf.tensor1d([1, 9]), tf.tensor1d([2, 3], 'int32'), tf.tensor1d([true, false], 'bool'));
    expect(Object.values(output).map((tensor) => tensor.dtype)).toEqual(['float32', 'int32', 'bool', 'int32']);
    expect(Object.values(output).map(values)).toEqual([[2, 27], [3, 4], [0, 1], [1]]);
  });

  it('may be bytes and texts', async () => {
    vi.spyOn(console, 'warn').mockImplementation(() => {});
    const backend = tf.backend() as unknown as {
      binding: { createTensor(shape: number[], dtype: number, values: Uint8Array): number };
      createOutputTensor(info: object): Tensor;
    };
    const bytes = (values: number[]) => {
      const info = { shape: [values.length], dtype: 4 };
      return backend.createOutputTensor({
        ...info,
        id: backend.binding.createTensor(info.shape, info.dtype, new Uint8Array(values)),
      });
    };
    const asFloat = compiled((x: Tensor) => runOp('Cast', [attribute.type('DstT', 'float32')], [x]).div(2));
    expect(values(await asFloat(bytes([3, 255])))).toEqual([1.5, 127.5]);
    // To tfjs, bytes and whole numbers are of one dtype; to TensorFlow they are not.
    expect(values(await asFloat(tf.tensor1d([3, -255], 'int32')))).toEqual([1.5, -127.5]);
    expect(values(await asFloat(bytes([1, 2])))).toEqual([0.5, 1]);

    const join = compiled((x: Tensor) =>
      runOp(
        'StringJoin',
        [attribute.int('N', 2), attribute.string('separator', '-')],
        [x, tf.tensor1d(['b', 'c'], 'string')],
      ),
    );
    expect(values(await join(tf.tensor1d(['a', 'ä'], 'string')))).toEqual(['a-b', 'ä-c']);
  });

  it('and ops may be lists', async () => {
    const lists = (x: Tensor, y: Tensor) => {
      const [left, right] = tf.split(x, [1, 2], 1) as [Tensor, Tensor];
      const rows = tf.unstack(x) as Tensor[];
      return [
        tf.concat([x, y, x], 1),
        tf.stack([x, y]),
        tf.addN([x, y, y]),
        left.add(right),
        rows[1]!.sub(rows[0]!),
        tf.topk(x, 2).values,
      ];
    };
    const [x, y] = [
      tf.tensor2d([
        [1, 2, 3],
        [4, 5, 6],
      ]),
      tf.ones([2, 3]),
    ];
    const output = await compiled(lists)(x, y);
    expect(output.map(values)).toEqual(lists(x, y).map(values));
  });
});

describe('what a step takes from outside', () => {
  it('is kept alive', async () => {
    const weight = tf.tensor1d([1, 2, 3]).add(0) as Tensor;
    const step = compiled((x: Tensor) => x.mul(weight));
    expect(values(await step(tf.scalar(2)))).toEqual([2, 4, 6]);
    weight.dispose();
    expect(values(await step(tf.scalar(3)))).toEqual([3, 6, 9]);
  });

  it('may be large constants, which are freed with the step', async () => {
    const before = nativeTensors();
    const step = compile((x: Tensor) => tf.eye(200).mul(x).sum());
    const [x, y] = [tf.scalar(2), tf.scalar(3)];
    const outputs = [await step(x), await step(y)];
    expect(outputs.map(values)).toEqual([[400], [600]]);
    step.dispose();
    tf.dispose([x, y, ...outputs]);
    expect(nativeTensors()).toBe(before);
  });
});

describe('constants', () => {
  const definitionSize = (count: number) => {
    const step = (x: Tensor) => x.mul(tf.tensor1d(Float32Array.from({ length: count }, (_, i) => i)));
    const inputs: [Tensor] = [tf.scalar(1)];
    const { program, release } = record('step', step, inputs, leavesOf(inputs, 'input'));
    const size = functionDef(program, { name: 'size', xla: false }).byteLength;
    release();
    return size;
  };

  it('that are small are written into the function, where TensorFlow folds them; large ones are passed to it', () => {
    expect(definitionSize(1000)).toBeGreaterThan(4000);
    expect(definitionSize(1_000_000)).toBeLessThan(1000);
  });
});

describe('keys', () => {
  const draw = (x: Tensor, random: Key) => ({
    noise: randomNormal(random.fold('noise'), [4]).add(x),
    mask: randomUniform(random.fold('mask').fold(3), [4]),
    again: randomUniform(random.fold('mask').fold(3), [4]),
  });

  it('give the random tensors that they give in the plain step', async () => {
    const step = compiled(draw);
    const x = tf.scalar(1);
    for (const seed of [1, 2, 1]) {
      const [fast, plain] = [await step(x, key(seed)), draw(x, key(seed))];
      for (const name of ['noise', 'mask', 'again'] as const) expect(values(fast[name])).toEqual(values(plain[name]));
    }
    expect(values((await step(x, key(1))).mask)).not.toEqual(values((await step(x, key(2))).mask));
  });

  it('may be all that a step takes', async () => {
    const step = compiled((random: Key) => randomUniform(random, [2]));
    expect(values(await step(key(1)))).toEqual(values(randomUniform(key(1), [2])));
  });
});

describe('a new signature', () => {
  it('is recorded, and said once', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    let recordings = 0;
    const step = compiled(
      ({ x }: { x: Tensor }, power: number) => {
        recordings++;
        return x.pow(power).sum();
      },
      { name: 'power' },
    );
    const call = async (values: number[], power: number) =>
      (await step({ x: tf.tensor1d(values) }, power)).dataSync()[0];
    expect(await call([1, 2], 2)).toBe(5);
    expect(await call([3, 4], 2)).toBe(25);
    expect(recordings).toBe(1);
    expect(warn).not.toHaveBeenCalled();
    expect(await call([1, 2, 3], 2)).toBe(14);
    expect(await call([1, 2], 3)).toBe(9);
    expect(await call([1, 2, 1], 2)).toBe(6);
    expect(recordings).toBe(3);
    expect(warn).toHaveBeenCalledTimes(1);
    expect(warn.mock.calls[0]![0]).toContain(
      'power is recorded again: its input [0].x: float32[2] is now [0].x: float32[3]',
    );
  });

  it('pushes the recording that was used longest ago out of a full cache', async () => {
    vi.spyOn(console, 'warn').mockImplementation(() => {});
    const recorded: number[] = [];
    const step = compiled(
      (x: Tensor) => {
        recorded.push(x.size);
        return x.sum();
      },
      { cacheSize: 2 },
    );
    const before = nativeTensors();
    for (const size of [1, 2, 1, 3, 1, 2]) {
      const x = tf.ones([size]);
      const sum = await step(x);
      expect(values(sum)).toEqual([size]);
      tf.dispose([x, sum]);
    }
    expect(recorded).toEqual([1, 2, 3, 2]);
    expect(nativeTensors()).toBe(before);
  });
});

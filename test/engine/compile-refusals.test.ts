import { afterEach, describe, expect, it } from 'vitest';
import { key } from '../../src/base/index.js';
import { attribute, CompileError, compile, runOp, type Tensor, tf, uploadBytes } from '../../src/engine/index.js';

const { random } = Math;
const { stackTraceLimit } = Error;

afterEach(() => {
  // Whatever happens, recording leaves the process as it was.
  expect(Math.random).toBe(random);
  expect(Error.stackTraceLimit).toBe(stackTraceLimit);
  expect(tf.scalar(1).add(1).dataSync()[0]).toBe(2);
});

/** What compiling the step for one input is refused with. */
async function refusal(step: (x: Tensor) => unknown): Promise<string> {
  const compiled = compile(step, { name: 'theStep' });
  const before = tf.memory().numTensors;
  const error = await compiled(tf.tensor1d([1, 2])).then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(error).toBeInstanceOf(CompileError);
  // The input stays; nothing else does.
  expect(tf.memory().numTensors).toBe(before + 1);
  return (error as CompileError).message;
}

/** The line that calls this, as refusals name it. */
function thisLine(): string {
  return /([\w-]+\.test\.ts:\d+):\d+/.exec(new Error().stack!.split('\n')[2]!)![1]!;
}

describe('a step that cannot be recorded is refused with the call and its line', () => {
  const unrecordable: [what: string, message: RegExp, step: (x: Tensor) => unknown][] = [
    ['dataSync', /reading a tensor on the host[\s\S]*at dataSync/, (x) => x.mul(x.sum().dataSync()[0]!)],
    ['arraySync', /reading a tensor on the host[\s\S]*at arraySync/, (x) => x.mul((x.sum().arraySync() as number) + 1)],
    ['print', /reading a tensor on the host[\s\S]*at print/, (x) => void x.print()],
    ['data', /reading a tensor on the host[\s\S]*at data/, (x) => void x.data()],
    ['Math.random', /a random number from the host/, (x) => x.mul(Math.random())],
    ['tf.randomNormal', /a random number from the host[\s\S]*at randomNormal/, (x) => x.add(tf.randomNormal([2]))],
    ['tf.dropout', /a random number from the host[\s\S]*at dropout/, (x) => tf.dropout(x, 0.5)],
    ['uploadBytes', /uploading bytes[\s\S]*at uploadBytes/, (x) => x.add(uploadBytes(new Uint8Array(2), [2]))],
    [
      'a stateful op',
      /the op RandomStandardNormal cannot be part of theStep[\s\S]*at runOp/,
      (x) => {
        const attributes = [attribute.type('dtype', 'float32'), attribute.type('T', 'int32')];
        return x.add(runOp('RandomStandardNormal', attributes, [tf.tensor1d([2], 'int32')]));
      },
    ],
    [
      'a constant from the host',
      /output value depends on none of the inputs[\s\S]*at /,
      () => ({ value: tf.ones([2]) }),
    ],
    ['a computed constant', /output \[0\] depends on none of the inputs[\s\S]*at add/, () => [tf.scalar(1).add(2)]],
  ];

  for (const [what, message, step] of unrecordable) {
    it(what, async () => {
      const text = await refusal(step);
      expect(text).toMatch(message);
      expect(text).toMatch(/compile-refusals\.test\.ts:\d+:\d+\)$/);
    });
  }

  it('to the line', async () => {
    let line = '';
    const text = await refusal((x) => {
      line = thisLine();
      const value = x.dataSync();
      return x.add(value[0]!);
    });
    const [file, number] = line.split(':');
    expect(text).toContain(`${file}:${Number(number) + 1}:`);
  });

  it('also where the step catches the error', async () => {
    const text = await refusal((x) => {
      try {
        return x.mul(x.dataSync()[0]!);
      } catch {
        return x.mul(1);
      }
    });
    expect(text).toMatch(/reading a tensor on the host/);
  });

  it('a variable of tfjs', async () => {
    const variable = tf.variable(tf.scalar(1));
    expect(await refusal((x) => x.add(variable))).toMatch(/a tf\.Variable[\s\S]*at add \(.*refusals\.test/);
    variable.dispose();
  });

  it('a tensor from outside as output', async () => {
    const outside = tf.tensor1d([1, 2]).add(0);
    expect(await refusal(() => ({ loss: outside }))).toMatch(/output loss depends on none[\s\S]*from outside the step/);
    outside.dispose();
  });

  it('numbers, bytes and the like as output', async () => {
    expect(await refusal((x) => ({ x: x.add(1), size: x.size }))).toMatch(/output size is the number 2/);
    expect(await refusal((x) => ({ x: x.add(1), bytes: new Uint8Array(1) }))).toMatch(
      /output bytes is of class Uint8Array/,
    );
  });

  it('a promise', async () => {
    expect(await refusal(async (x) => x.add(1))).toMatch(/returns a promise/);
  });

  it('disposing of an input', async () => {
    const text = await refusal((x) => {
      const y = x.add(1);
      x.dispose();
      return y;
    });
    expect(text).toMatch(/disposes of its input \[0\]/);
  });

  it('a compiled step inside, recorded before or not, awaited or not', async () => {
    const inner = compile((x: Tensor) => x.add(1), { name: 'inner' });
    const text = /the compiled inner cannot be part of theStep: call the uncompiled function[\s\S]*at compiled/;
    const unhandled: unknown[] = [];
    const listen = (reason: unknown) => unhandled.push(reason);
    process.prependListener('unhandledRejection', listen);
    const within = (x: Tensor) => {
      inner(x);
      return x.add(1);
    };
    expect(await refusal(within)).toMatch(text);
    tf.dispose(await inner(tf.tensor1d([1, 2])));
    expect(await refusal(within)).toMatch(text);
    expect(await refusal((x) => inner(x).then((y) => y.add(1)))).toMatch(text);
    inner.dispose();
    await new Promise((resolve) => setTimeout(resolve, 10));
    process.off('unhandledRejection', listen);
    expect(unhandled).toEqual([]);
  });
});

describe('other errors', () => {
  it("of the step come through with the step's own stack", async () => {
    let line = '';
    const step = compile((x: Tensor) => {
      line = thisLine();
      return tf.matMul(x as never, x as never);
    });
    const error = (await step(tf.ones([2, 3])).catch((error: unknown) => error)) as Error;
    expect(error.message).toMatch(/Dimensions must be equal, but are 3 and 2/);
    const [file, number] = line.split(':');
    expect(error.stack).toContain(`${file}:${Number(number) + 1}:`);
  });

  it('name a captured tensor that is disposed', async () => {
    const gone = tf.scalar(1);
    gone.dispose();
    await expect(compile((x: Tensor) => x.add(gone))(tf.scalar(1))).rejects.toThrow(
      /a disposed tensor[\s\S]*at add \(.*refusals\.test/,
    );
  });

  it('a tensor that the step keeps', async () => {
    let kept: Tensor | undefined;
    const step = compile((x: Tensor) => {
      kept = tf.keep(x.add(1));
      return kept.add(1);
    });
    await expect(step(tf.scalar(1))).rejects.toThrow(/keeps 1 tensors? beyond its call/);
    kept!.dispose();
  });

  it('name an input that is disposed', async () => {
    const step = compile(({ x }: { x: Tensor }) => x.add(1), { name: 'theStep' });
    const x = tf.scalar(1);
    x.dispose();
    await expect(step({ x })).rejects.toThrow('theStep: input [0].x is disposed');
  });

  it('name an input that is not a tensor', async () => {
    const step = compile(({ x }: { x: unknown }) => (x as Tensor).add(1), { name: 'theStep' });
    await expect(step({ x: new Uint8Array(2) })).rejects.toThrow(
      /input \[0\]\.x is of class Uint8Array.*convert it to a tensor/,
    );
    await expect(step({ x: () => 1 })).rejects.toThrow(/input \[0\]\.x is a function/);
  });

  it('tell of a call after dispose()', async () => {
    const step = compile((x: Tensor) => x.add(1), { name: 'theStep' });
    step.dispose();
    await expect(step(tf.scalar(1))).rejects.toThrow('theStep was called after its dispose()');
  });

  it('tell of options that there are not', () => {
    expect(() => compile((x: Tensor) => x, { precision: 'float8' as never })).toThrow(
      /precision is one of float32, bfloat16, float16, float64; got "float8"/,
    );
    expect(() => compile((x: Tensor) => x, { cacheSize: 0 })).toThrow(/cacheSize must be a positive integer; got 0/);
  });

  for (const [what, use] of [
    ['words', (k) => k.words[0]],
    ['a generator', (k) => k.generator().uniform()],
    ['text', (k) => String(k).length],
  ] as [string, (k: ReturnType<typeof key>) => number][]) {
    it(`tell of a key whose ${what} the step reads`, async () => {
      await expect(
        compile((x: Tensor, k: ReturnType<typeof key>) => x.mul(use(k)))(tf.scalar(1), key(1)),
      ).rejects.toThrow(/reading a key on the host[\s\S]*at \S+ \(.*compile-refusals\.test\.ts/);
    });
  }
});

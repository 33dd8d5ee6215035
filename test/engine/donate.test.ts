import { describe, expect, it, onTestFinished } from 'vitest';
import { key } from '../../src/base/index.js';
import { CompiledFunction } from '../../src/engine/compile/compiled-function.js';
import { record } from '../../src/engine/compile/record.js';
import { reusingInputs } from '../../src/engine/compile/reuse.js';
import { leavesOf } from '../../src/engine/compile/tree.js';
import {
  attribute,
  compile,
  gather,
  hasCustomOps,
  randomNormal,
  runOp,
  type Tensor,
  tf,
} from '../../src/engine/index.js';
import { attributeTypes, executeOp } from '../../src/engine/runtime.js';
import { compiled } from './compiled.js';
import { network, train } from './small-network.js';

const values = (tensor: Tensor) => Array.from(tensor.dataSync());

/** What shares memory with `tensor`, as the view of another shape that TensorFlow's Reshape gives. */
const view = (tensor: Tensor) =>
  runOp(
    'Reshape',
    [attribute.typeOf('T', tensor), attribute.type('Tshape', 'int32')],
    [tensor, tf.tensor1d([-1], 'int32')],
  );

/** Adds to each of the record's tensors. */
const increase = (tensors: Record<string, Tensor>, by: Tensor) => ({
  tensors: Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, tensor.add(by)])),
  first: tensors.a!.sum(),
});

const increasing = () => compiled(increase, { donate: [0], name: 'increase' });

describe('a step that its tensors are donated to', () => {
  it('gives the same bits as one that keeps them', async () => {
    const kept = await train(compiled(network.step), 6);
    const donating = compiled(network.step, { donate: [0] });
    const donated = await train(donating, 6);
    for (const part of ['losses', 'weights', 'state'] as const) expect(donated[part]).toEqual(kept[part]);
  });

  it('may be called with what it gave, again and again', async () => {
    const step = increasing();
    let tensors: Record<string, Tensor> = { a: tf.zeros([1000]), b: tf.ones([2, 3]) };
    for (let call = 0; call < 4; call++) ({ tensors } = await step(tensors, tf.scalar(1)));
    expect(values(tensors.a!).every((value) => value === 4)).toBe(true);
    expect(values(tensors.b!)).toEqual([5, 5, 5, 5, 5, 5]);
  });

  it('disposes of them at once, and of nothing else', async () => {
    const step = increasing();
    const [a, by] = [tf.zeros([3]), tf.scalar(1)];
    const before = tf.memory().numTensors;
    const running = step({ a }, by);
    expect(a.isDisposed).toBe(true);
    await expect(step({ a }, by)).rejects.toThrow('input [0].a is disposed');
    const { tensors, first } = await running;
    expect(by.isDisposed).toBe(false);
    expect(values(first)).toEqual([0]);
    expect(tf.memory().numTensors).toBe(before + 1);
    expect(values(tensors.a!)).toEqual([1, 1, 1]);
  });

  it('leaves a clone, a view and a captured tensor as they were', async () => {
    const step = increasing();
    const by = tf.scalar(1);
    for (const other of [(tensor: Tensor) => tensor.clone(), view]) {
      // From a step, since what TensorFlow has made itself is written to without a copy.
      const { tensors } = await step({ a: tf.zeros([4]) }, by);
      const shared = other(tensors.a!);
      const read = tensors.a!.dataSync();
      const { tensors: next } = await step(tensors, by);
      expect(Array.from(read)).toEqual([1, 1, 1, 1]);
      expect(values(shared)).toEqual([1, 1, 1, 1]);
      expect(values(next.a!)).toEqual([2, 2, 2, 2]);
    }
    const { tensors } = await step({ a: tf.zeros([4]) }, by);
    const captured = tensors.a!;
    const kept = captured.clone();
    const capturing = compiled((x: Tensor) => x.add(captured), { donate: [0] });
    expect(values(await capturing(captured))).toEqual([2, 2, 2, 2]);
    expect(values(kept)).toEqual([1, 1, 1, 1]);
  });

  it('leaves the tensor that a slice was taken of, and other slices, as they were', async () => {
    const step = increasing();
    // TensorFlow gives slices along the first axis without a copy.
    const whole = tf.ones([64, 64]).add(1) as Tensor;
    const [part, overlapping] = [whole.slice([0, 0], [32, 64]), whole.slice([16, 0], [32, 64])];
    await step({ a: part }, tf.scalar(1));
    expect(new Set(values(whole))).toEqual(new Set([2]));
    const another = whole.slice([0, 0], [32, 64]);
    whole.dispose();
    await step({ a: another }, tf.scalar(1));
    expect(new Set(values(overlapping))).toEqual(new Set([2]));
  });

  it('that cannot be recorded leaves them to the caller', async () => {
    const failing = compiled(
      (_given: { a: Tensor }) => {
        throw new Error('the step throws');
      },
      { donate: [0] },
    );
    const a = tf.ones([2]);
    await expect(failing({ a })).rejects.toThrow('the step throws');
    expect(values(a)).toEqual([1, 1]);
  });

  it('leaves what another step still reads as it is', async () => {
    const step = increasing();
    const slow = compiled((x: Tensor) => {
      let y = x.reshape([64, 64]);
      for (let i = 0; i < 200; i++) y = y.matMul(x.reshape([64, 64])).mul(0.01);
      return y.sum().add(x.sum());
    });
    const by = tf.scalar(1);
    const { tensors } = await step({ a: tf.zeros([4096]) }, by);
    const alone = values(await slow(tf.ones([4096])));
    const reading = slow(tensors.a!);
    await step(tensors, by);
    expect(values(await reading)).toEqual(alone);
  });

  it('may give what it was given in another place, twice, or as a view', async () => {
    const swap = compiled(
      ({ a, b }: { a: Tensor; b: Tensor }) => ({
        // Views share their input's memory, which must not be written to then.
        a: view(b).add(0),
        b: view(a),
        sum: a.add(b),
        old: a,
      }),
      { donate: [0] },
    );
    const { tensors } = await increasing()({ a: tf.zeros([3]), b: tf.tensor1d([5, 6, 7]) }, tf.scalar(1));
    const { a, b, sum, old } = await swap(tensors as { a: Tensor; b: Tensor });
    expect([a, b, sum, old].map(values)).toEqual([
      [6, 7, 8],
      [1, 1, 1],
      [7, 8, 9],
      [1, 1, 1],
    ]);

    const turn = compiled(([a, b]: Tensor[]) => [executeOp('IdentityN', [], [b!, a!], 2)[0]!, a!.add(b!)], {
      donate: [0],
    });
    let pair: Tensor[] = [a, sum];
    for (let call = 0; call < 3; call++) pair = await turn(pair);
    // As in Fibonacci's: (6, 7), (7, 13), (13, 20), (20, 33).
    expect(pair.map((tensor) => values(tensor)[0])).toEqual([20, 33]);
  });

  it('may be given one tensor in two places', async () => {
    const step = increasing();
    const { tensors } = await step({ a: tf.zeros([2]) }, tf.scalar(1));
    const twice = compiled(({ a, b }: { a: Tensor; b: Tensor }) => ({ a: a.add(1), b: b.add(2) }), { donate: [0] });
    const result = await twice({ a: tensors.a!, b: tensors.a! });
    expect([values(result.a), values(result.b)]).toEqual([
      [2, 2],
      [3, 3],
    ]);
  });

  it('that fails has changed nothing that others hold, and says what failed', async () => {
    const failing = compiled(({ a }: { a: Tensor }, indices: Tensor) => ({ a: a.add(1), row: gather(a, indices) }), {
      donate: [0],
      name: 'failing',
    });
    const { tensors } = await increasing()({ a: tf.zeros([2]) }, tf.scalar(1));
    const kept = view(tensors.a!);
    await expect(failing(tensors as { a: Tensor }, tf.tensor1d([7], 'int32'))).rejects.toThrow(
      'the compiled failing failed',
    );
    expect(values(kept)).toEqual([1, 1]);
  });

  it('takes every dtype and empty tensors', async () => {
    const step = compiled(
      (given: { flags: Tensor; counts: Tensor; none: Tensor; scalar: Tensor }) => ({
        flags: given.flags.logicalNot(),
        counts: given.counts.add(tf.scalar(1, 'int32')),
        none: given.none.add(1),
        scalar: given.scalar.add(1),
      }),
      { donate: [0] },
    );
    let given = {
      flags: tf.tensor1d([true, false], 'bool') as Tensor,
      counts: tf.tensor1d([1, 2], 'int32') as Tensor,
      none: tf.zeros([0, 3]) as Tensor,
      scalar: tf.scalar(0.5) as Tensor,
    };
    for (let call = 0; call < 2; call++) given = await step(given);
    expect([values(given.flags), values(given.counts), values(given.none), values(given.scalar)]).toEqual([
      [1, 0],
      [3, 4],
      [],
      [2.5],
    ]);
  });

  it('leaves no tensors behind', async () => {
    const { binding } = tf.backend() as unknown as { binding: { getNumOfTensors(): number } };
    const step = increasing();
    const by = tf.scalar(1);
    let { tensors } = await step({ a: tf.zeros([2]) }, by);
    const before = [tf.memory().numTensors, binding.getNumOfTensors()];
    for (let call = 0; call < 4; call++) {
      const shared = tensors.a!.clone();
      const output = await step(tensors, by);
      tf.dispose([shared, output.first]);
      tensors = output.tensors;
    }
    expect([tf.memory().numTensors, binding.getNumOfTensors()]).toEqual(before);
  });

  it('in bfloat16 keeps its parameters in float32', async () => {
    const step = compiled(
      ({ weight }: { weight: Tensor }, x: Tensor) => ({ weight: weight.sub(x.matMul(weight as never).mul(0.01)) }),
      { donate: [0], precision: 'bfloat16' },
    );
    const twin = compiled(
      ({ weight }: { weight: Tensor }, x: Tensor) => ({ weight: weight.sub(x.matMul(weight as never).mul(0.01)) }),
      { precision: 'bfloat16' },
    );
    const x = randomNormal(key('x'), [8, 8]);
    let [one, other] = [{ weight: tf.ones([8, 8]) as Tensor }, { weight: tf.ones([8, 8]) as Tensor }];
    for (let call = 0; call < 3; call++) [one, other] = [await step(one, x), await twin(other, x)];
    expect(values(one.weight)).toEqual(values(other.weight));
  });

  it('refuses numbers that are not numbers of arguments', () => {
    expect(() => compile(increase, { donate: [-1] })).toThrow(/donate names arguments by their numbers.*\[-1\]/);
    expect(() => compile(increase, { donate: [0.5] })).toThrow(/donate names arguments/);
  });
});

describe.skipIf(!tf.backend() || !hasCustomOps())('the op that writes to them', () => {
  /** A program of that op alone, which is not told that it may write. */
  const reuse = async (count: number, tensors: Tensor[]) => {
    const info = (tensor: Tensor, id: number) => ({ id, dtype: tensor.dtype === 'int32' ? 3 : 1, shape: tensor.shape });
    const inputs = tensors.map(info);
    const outputs = tensors.slice(0, count).map((tensor, place) => info(tensor, tensors.length + place));
    const op = {
      op: 'PathlabReuse',
      attributes: [
        attribute.int('count', count),
        { name: 'U', type: attributeTypes.type, value: outputs.map(({ dtype }) => dtype) },
      ],
      inputs: inputs.map(({ id }) => id),
      outputs,
      origin: new Error('reuse'),
    };
    const program = {
      inputs,
      seeds: [],
      instanceKeys: [],
      captures: [],
      constants: [],
      ops: [op],
      outputs: outputs.map(({ id }) => id),
    };
    const reusing = new CompiledFunction('reuse', program, { release: () => {}, xla: false, writable: [] });
    onTestFinished(() => reusing.dispose());
    return await reusing.run(tensors, new Map());
  };

  it('puts values where their places are', async () => {
    const [place, other] = [tf.zeros([100_003]), tf.tensor1d([0, 0], 'int32')];
    const [value, counts] = [tf.range(0, 100_003), tf.tensor1d([4, 5], 'int32')];
    const [first, second] = await reuse(2, [place, other, value, counts, tf.scalar(1)]);
    for (const tensor of [place, first!]) expect(values(tensor)).toEqual(values(value));
    for (const tensor of [other, second!]) expect(values(tensor)).toEqual([4, 5]);
  });

  it('gives the value itself where something else that is given lies in its place', async () => {
    const [place, value] = [tf.tensor1d([1, 2]), tf.tensor1d([3, 4])];
    expect(values((await reuse(1, [place, value, view(place)]))[0]!)).toEqual([3, 4]);
    expect(values(place)).toEqual([1, 2]);
    const [a, b] = [tf.tensor1d([1, 2]), tf.tensor1d([3, 4])];
    expect((await reuse(2, [a, b, view(b), view(a)])).map(values)).toEqual([
      [3, 4],
      [1, 2],
    ]);
    expect([values(a), values(b)]).toEqual([
      [1, 2],
      [3, 4],
    ]);
  });

  it('refuses a value that does not fit', async () => {
    await expect(reuse(1, [tf.zeros([2]), tf.zeros([3])])).rejects.toThrow(/a value and its place differ in size/);
  });

  it('ends a program whose inputs may be written to', () => {
    const inputs = [tf.zeros([2]), tf.zeros([3])];
    const step = ([x, y]: Tensor[]) => [y!.add(1), x!.add(1), x!.sum()];
    const { program, release } = record('step', step, [inputs], leavesOf([inputs], 'input'));
    const { program: reusing, reused } = reusingInputs(program, [0, 1]);
    expect(reused).toEqual([1, 0]);
    const last = reusing.ops.at(-1)!;
    expect(last.op).toBe('PathlabReuse');
    const [x, y] = program.inputs.map(({ id }) => id);
    const [first, second, sum] = program.outputs;
    expect(last.inputs).toEqual([y, x, first, second, sum]);
    expect(reusing.outputs).toEqual([...last.outputs.map(({ id }) => id), sum]);
    expect(reusingInputs(program, []).program).toBe(program);
    release();
  });
});

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type Attribute, binding, type Tensor, tf } from '../../src/engine/runtime.js';

const require = createRequire(import.meta.url);
const proto = require('@tensorflow/tfjs-node-gpu/dist/proto/api_pb.js');
const float32 = 1;

interface TensorInfo {
  id: number;
  shape: number[];
  dtype: number;
}

/** The addon as pathlab extends it. */
interface Addon {
  addFunctionDef(bytes: Uint8Array): void;
  removeFunction(name: string): void;
  opList(): Buffer;
  kernelsForOp(op: string): Buffer;
  listDevices(): { name: string; type: string; memoryBytes: number }[];
  runAsync(op: string, attributes: Attribute[], inputs: number[], outputCount: number): Promise<TensorInfo[]>;
  executeOp(op: string, attributes: Attribute[], inputs: number[], outputCount: number): TensorInfo[];
  getNumOfTensors(): number;
}

const addon = () => binding() as unknown as Addon;
const backend = () =>
  tf.backend() as unknown as {
    getInputTensorIds(tensors: Tensor[]): number[];
    createOutputTensor(info: TensorInfo): Tensor;
  };
const idsOf = (...tensors: Tensor[]) => backend().getInputTensorIds(tensors);
const tensorOf = (info: TensorInfo | undefined) => backend().createOutputTensor(info!);
const typeAttribute = { name: 'T', type: 4, value: float32 };
const matMul = [
  typeAttribute,
  { name: 'transpose_a', type: 3, value: false },
  { name: 'transpose_b', type: 3, value: false },
];

describe('what the addon tells', () => {
  it('lists the devices with their type and memory', () => {
    const devices = addon().listDevices();
    expect(devices.some(({ type }) => type === 'CPU')).toBe(true);
    for (const { name, memoryBytes } of devices) {
      expect(name).toMatch(/^\/job:localhost\/replica:0\/task:0\/device:\w+:\d+$/);
      expect(memoryBytes).toBeGreaterThan(0);
    }
  });

  it('lists every op with its definition', () => {
    const ops = proto.OpList.deserializeBinary(new Uint8Array(addon().opList())).getOpList();
    const relu = ops.find((op: { getName(): string }) => op.getName() === 'ReluGrad');
    expect(relu.getInputArgList().map((argument: { getName(): string }) => argument.getName())).toEqual([
      'gradients',
      'features',
    ]);
  });

  it('lists the kernels of an op by device', () => {
    const kernels = addon().kernelsForOp('Conv2D').toString('latin1');
    expect(kernels).toContain('Conv2D');
    expect(kernels).toContain('CPU');
    expect(addon().kernelsForOp('NoSuchOp')).toHaveLength(0);
  });
});

/** A serialized FunctionDef of one float32 argument x that returns x * x. */
function squareFunction(name: string): Uint8Array {
  const argument = (label: string) => {
    const definition = new proto.OpDef.ArgDef();
    definition.setName(label);
    definition.setType(float32);
    return definition;
  };
  const signature = new proto.OpDef();
  signature.setName(name);
  signature.setInputArgList([argument('x')]);
  signature.setOutputArgList([argument('y')]);
  const node = new proto.NodeDef();
  node.setName('product');
  node.setOp('Mul');
  node.setInputList(['x', 'x']);
  const type = new proto.AttrValue();
  type.setType(float32);
  node.getAttrMap().set('T', type);
  const definition = new proto.FunctionDef();
  definition.setSignature(signature);
  definition.setNodeDefList([node]);
  definition.getRetMap().set('y', 'product:z:0');
  return definition.serializeBinary();
}

describe('functions', () => {
  it('runs a registered function as an op, until it is removed', async () => {
    const x = tf.tensor1d([1, -2, 3]);
    addon().addFunctionDef(squareFunction('addon_test_square'));
    const [info] = addon().executeOp('addon_test_square', [], idsOf(x), 1);
    expect([...(await tensorOf(info).data())]).toEqual([1, 4, 9]);
    const [later] = await addon().runAsync('addon_test_square', [], idsOf(x), 1);
    expect([...(await tensorOf(later).data())]).toEqual([1, 4, 9]);
    addon().removeFunction('addon_test_square');
    expect(() => addon().executeOp('addon_test_square', [], idsOf(x), 1)).toThrow(/addon_test_square/);
  });

  it('refuses bytes that are not a function, and names that it does not know', () => {
    expect(() => addon().addFunctionDef(new Uint8Array([1, 2, 3]))).toThrow(/addFunctionDef: .*FunctionDef/);
    expect(() => addon().addFunctionDef('text' as unknown as Uint8Array)).toThrow(/Uint8Array/);
    expect(() => addon().removeFunction('addon_test_unknown')).toThrow(/addon_test_unknown/);
  });
});

describe('runAsync', () => {
  const big = () => tf.ones([1500, 1500]);

  it('leaves the event loop free while an op runs', async () => {
    const [a, b] = [big(), big()];
    let settled = false;
    const run = addon()
      .runAsync('MatMul', matMul, idsOf(a, b), 1)
      .finally(() => {
        settled = true;
      });
    let turns = 0;
    for (; !settled; turns++) await nextTurn();
    expect(turns).toBeGreaterThan(10);
    const product = tensorOf((await run)[0]);
    expect(product.shape).toEqual([1500, 1500]);
    expect((await product.slice([7, 7], [1, 1]).data())[0]).toBe(1500);
    tf.dispose([a, b, product]);
  });

  it('runs several at once, beside ops that run at the same time in the foreground', async () => {
    const inputs = [1, 2, 3, 4, 5, 6].map((value) => tf.fill([400, 400], value));
    const runs = inputs.map((input) => addon().runAsync('MatMul', matMul, idsOf(input, input), 1));
    for (const [index, input] of inputs.entries()) expect(input.sum().dataSync()[0]).toBe((index + 1) * 160_000);
    const corners = (await Promise.all(runs)).map(([info]) => tensorOf(info).slice([0, 0], [1, 1]).dataSync()[0]);
    expect(corners).toEqual([1, 2, 3, 4, 5, 6].map((value) => 400 * value * value));
  });

  it('does not mind inputs that are disposed of meanwhile, and leaks no tensor', async () => {
    const before = addon().getNumOfTensors();
    const a = big();
    const run = addon().runAsync('MatMul', matMul, idsOf(a, a), 1);
    a.dispose();
    const product = tensorOf((await run)[0]);
    expect((await product.data()).every((value) => value === 1500)).toBe(true);
    product.dispose();
    expect(addon().getNumOfTensors()).toBe(before);
  });

  it("rejects with the op's name and TensorFlow's message", async () => {
    const before = addon().getNumOfTensors();
    const [a, b] = [tf.ones([2, 3]), tf.ones([2, 3])];
    await expect(addon().runAsync('MatMul', matMul, idsOf(a, b), 1)).rejects.toThrow(/^MatMul: .*\[2,3\].*\[2,3\]/s);
    tf.dispose([a, b]);
    expect(addon().getNumOfTensors()).toBe(before);
  });

  it('refuses bad arguments at once', () => {
    const a = tf.ones([2]);
    expect(() => addon().runAsync('NoSuchOp', [], idsOf(a), 1)).toThrow(/NoSuchOp/);
    expect(() => addon().runAsync('Square', [typeAttribute], [987_654_321], 1)).toThrow(
      /Square: input 0 is not a tensor/,
    );
    expect(() => addon().runAsync('Square', [typeAttribute], idsOf(a), -1)).toThrow(/runAsync takes/);
  });

  const load = `
    const util = require('util');
    util.isNullOrUndefined ??= (value) => value == null; util.isArray ??= Array.isArray;
    const tf = require('@tensorflow/tfjs-node-gpu'); const backend = tf.backend();
    const a = tf.ones([2000, 2000]);
    backend.binding.runAsync('MatMul', ${JSON.stringify(matMul)}, backend.getInputTensorIds([a, a]), 1);`;
  const inChild = (program: string) =>
    spawnSync(process.execPath, ['-e', program], {
      cwd: fileURLToPath(new URL('.', import.meta.url)),
      encoding: 'utf8',
    });

  it('lets the process exit in the middle of a run', () => {
    const child = inChild(`${load} process.exit(7);`);
    expect({ status: child.status, signal: child.signal }).toEqual({ status: 7, signal: null });
  });

  it('lets a worker thread end in the middle of a run', () => {
    const child = inChild(`
      const { Worker } = require('worker_threads');
      const worker = new Worker(${JSON.stringify(`${load} require('worker_threads').parentPort.postMessage('runs');`)}, { eval: true });
      worker.on('message', async () => { await worker.terminate(); process.exit(5); });`);
    expect({ status: child.status, signal: child.signal }).toEqual({ status: 5, signal: null });
  });
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

describe('enableCollective', () => {
  it('joins two processes, and sums a tensor over both', async () => {
    const ports = String([await freePort(), await freePort()]);
    const program = fileURLToPath(new URL('collective-worker.cjs', import.meta.url));
    const sums = await Promise.all(
      ['0', '1'].map(async (task) => {
        const worker = spawn(process.execPath, [program, task, ports], { stdio: ['ignore', 'pipe', 'inherit'] });
        let output = '';
        worker.stdout.on('data', (chunk) => {
          output += chunk;
        });
        await once(worker, 'close');
        return output.trim();
      }),
    );
    // Task t contributes t + 1.
    expect(sums).toEqual(['3,3,3 on /job:worker/replica:0/task:0', '3,3,3 on /job:worker/replica:0/task:1']);
  });
});

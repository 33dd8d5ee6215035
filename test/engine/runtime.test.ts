import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { key, projectRoot } from '../../src/base/index.js';
import {
  attribute,
  bytesOf,
  describeDevice,
  gradients,
  isByteTensor,
  randomNormal,
  randomUniform,
  runOp,
  tf,
  truncatedNormal,
  uploadBytes,
  zipTensors,
} from '../../src/engine/index.js';

describe('executeOp', () => {
  it("names the op, its inputs and TensorFlow's reason when it fails", () => {
    const attributes = [
      attribute.type('T', 'float32'),
      attribute.bool('transpose_a', false),
      attribute.bool('transpose_b', false),
    ];
    expect(() => runOp('MatMul', attributes, [tf.zeros([2, 3]), tf.zeros([2, 3])])).toThrow(
      /MatMul\(float32\[2,3\], float32\[2,3\]\) failed[\s\S]*Matrix size-incompatible/,
    );
  });
});

describe('uploadBytes', () => {
  it('gives bytes, in one tensor', () => {
    const before = tf.memory().numTensors;
    const x = uploadBytes(new Uint8Array([0, 1, 128, 255]), [2, 2]);
    expect(isByteTensor(x)).toBe(true);
    expect(tf.memory().numTensors).toBe(before + 1);
    const cast = [attribute.type('SrcT', 'uint8'), attribute.type('DstT', 'float32')];
    expect(runOp('Cast', cast, [x]).arraySync()).toEqual([
      [0, 1],
      [128, 255],
    ]);
  });

  it('refuses a shape that does not fit', () => {
    expect(() => uploadBytes(new Uint8Array(5), [2, 2])).toThrow(/5 bytes for the shape \[2,2\]/);
  });
});

describe('random tensors', () => {
  it('depend on key and shape alone', () => {
    const draw = (seed: number) => Array.from(randomNormal(key(seed), [100]).dataSync());
    const first = draw(1);
    randomUniform(key(9), [1000]);
    expect(draw(1)).toEqual(first);
    expect(draw(2)).not.toEqual(first);
  });

  it('have the distributions that they say', () => {
    const count = 100_000;
    const uniform = randomUniform(key(1), [count], -2, 4).dataSync();
    expect(Math.min(...uniform.slice(0, 1000))).toBeGreaterThanOrEqual(-2);
    expect(Math.max(...uniform.slice(0, 1000))).toBeLessThan(4);
    const moments = (values: ArrayLike<number>) => {
      const mean = Array.from(values).reduce((a, b) => a + b) / values.length;
      return [mean, Math.sqrt(Array.from(values).reduce((a, b) => a + (b - mean) ** 2, 0) / values.length)] as const;
    };
    expect(moments(uniform)[0]).toBeCloseTo(1, 1);
    expect(moments(uniform)[1]).toBeCloseTo(6 / Math.sqrt(12), 1);
    const [mean, deviation] = moments(randomNormal(key(1), [count], 3, 2).dataSync());
    expect(mean).toBeCloseTo(3, 1);
    expect(deviation).toBeCloseTo(2, 1);
    const truncated = truncatedNormal(key(1), [count]).dataSync();
    expect(truncated.every((value) => Math.abs(value) <= 2)).toBe(true);
    expect(moments(truncated)[1]).toBeCloseTo(0.88, 2);
  });
});

describe('records of tensors', () => {
  it('gradients gives each parameter its own, and the extra tensors', () => {
    const parameters = { a: tf.scalar(2), b: tf.scalar(3) };
    const before = tf.memory().numTensors;
    const result = tf.tidy(() =>
      gradients(parameters, ({ a, b }) => ({ loss: a!.mul(b!).mul(b!), extra: { sum: a!.add(b!) } })),
    );
    expect(result.loss.dataSync()[0]).toBe(18);
    expect(result.gradients.a!.dataSync()[0]).toBe(9);
    expect(result.gradients.b!.dataSync()[0]).toBe(12);
    expect(result.extra.sum!.dataSync()[0]).toBe(5);
    expect(tf.memory().numTensors).toBe(before + 4);
  });

  it('gradients names a parameter that the loss ignores', () => {
    const parameters = { used: tf.scalar(2), unused: tf.scalar(3) };
    expect(() => gradients(parameters, ({ used }) => ({ loss: used!.square() as never }))).toThrow(/"unused"/);
  });

  it('zipTensors refuses records of different names', () => {
    const a = { x: tf.scalar(1) };
    const b = { x: tf.scalar(1), y: tf.scalar(1) };
    expect(() => zipTensors(a, b, (one) => one)).toThrow(/"y" that the first lacks/);
    expect(() => zipTensors(b, a, (one) => one)).toThrow(/no tensor named "y"/);
  });

  it('counts bytes', () => {
    expect(bytesOf({ a: tf.zeros([3, 4]), b: tf.zeros([2], 'bool'), c: tf.zeros([1], 'int32') })).toBe(54);
  });
});

describe('the device', () => {
  it('is described', () => {
    const device = describeDevice();
    expect(device.tensorflow).toMatch(/^2\.\d+\.\d+$/);
    expect(device.tfjs).toMatch(/^4\./);
    expect(device.threads.intraOp).toBeGreaterThan(0);
    expect(device.name.length).toBeGreaterThan(0);
  });
});

describe('a process of its own', () => {
  const compiled = join(projectRoot, 'dist', 'index.js');
  const engine = pathToFileURL(join(projectRoot, 'dist', 'engine', 'index.js')).href;
  const run = (code: string, env: Record<string, string> = {}) =>
    spawnSync(process.execPath, ['--input-type=module', '-e', code], {
      encoding: 'utf8',
      cwd: projectRoot,
      env: { ...process.env, ...env },
    });

  it('imports pathlab without loading TensorFlow', () => {
    const { stdout, stderr } = run(`
      await import(${JSON.stringify(pathToFileURL(compiled).href)});
      const { isTensorFlowLoaded, tf } = await import(${JSON.stringify(engine)});
      const { readFileSync, existsSync } = await import('node:fs');
      const maps = existsSync('/proc/self/maps') ? readFileSync('/proc/self/maps', 'utf8') : '';
      console.log(isTensorFlowLoaded(), maps.includes('libtensorflow'));
      tf.scalar(1);
      console.log(isTensorFlowLoaded());
    `);
    expect(stderr).not.toMatch(/Error/);
    expect(stdout.trim().split('\n')).toEqual(['false false', 'true']);
  });

  it('pins threads and lets GPU memory grow, unless the caller says otherwise', () => {
    const names = ['TF_NUM_INTRAOP_THREADS', 'TF_NUM_INTEROP_THREADS', 'TF_FORCE_GPU_ALLOW_GROWTH'];
    const settings = (env: Record<string, string>) => {
      const { stdout } = run(
        `(await import(${JSON.stringify(engine)})).tf.scalar(1);
         console.log(${JSON.stringify(names)}.map((name) => process.env[name]).join());`,
        env,
      );
      return stdout.trim().split('\n').at(-1);
    };
    const unset = Object.fromEntries(names.map((name) => [name, undefined as unknown as string]));
    const cores = availableParallelism();
    expect(settings(unset)).toBe(`${cores},${cores},true`);
    expect(settings({ ...unset, TF_NUM_INTRAOP_THREADS: '1', TF_FORCE_GPU_ALLOW_GROWTH: 'false' })).toBe(
      `1,${cores},false`,
    );
  });

  it('refuses PATHLAB_DEVICE=tpu', () => {
    const { status, stderr } = run(`(await import(${JSON.stringify(engine)})).tf.scalar(1)`, { PATHLAB_DEVICE: 'tpu' });
    expect(status).toBe(1);
    expect(stderr).toMatch(/PATHLAB_DEVICE is "tpu"; it takes cpu or gpu/);
  });

  it.skipIf(describeDevice().type === 'gpu')('refuses PATHLAB_DEVICE=gpu where there is none, with the reason', () => {
    const { status, stderr } = run(`(await import(${JSON.stringify(engine)})).tf.scalar(1)`, { PATHLAB_DEVICE: 'gpu' });
    expect(status).toBe(1);
    expect(stderr).toMatch(/a GPU was requested, but TensorFlow runs on the CPU: .{10,}/);
  });

  it('says what to do where the addon cannot be loaded', () => {
    const { status, stderr } = run(
      `import { createRequire } from 'node:module';
       createRequire(import.meta.url)('node:fs').existsSync = () => false;
       (await import(${JSON.stringify(engine)})).tf.scalar(1);`,
    );
    expect(status).toBe(1);
    expect(stderr).toMatch(/TensorFlow could not be loaded: [\s\S]*Run `npm run setup`/);
  });
});

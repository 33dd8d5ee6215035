import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { nvidiaDriver } from '../../kernel-setup/setup/device.mjs';
import { readStamp } from '../../kernel-setup/setup/state.mjs';
import { projectRoot } from '../../src/base/index.js';
import { attribute, hasGpuKernels, recordedOps, runOp, type Tensor, tf } from '../../src/engine/index.js';
import { withoutGpuKernel } from '../../src/engine/kernels.js';

const wheel = process.env.PATHLAB_CUDA_WHEEL;
const ownIsCuda = readStamp('tensorflow')?.facts.device === 'gpu';

function audit(environment: NodeJS.ProcessEnv) {
  const program = join(projectRoot, 'kernel-setup', 'pathlab.mjs');
  const { stdout, stderr, status } = spawnSync(process.execPath, [program, 'doctor', '--gpu-audit'], {
    cwd: projectRoot,
    encoding: 'utf8',
    env: { ...process.env, ...environment },
  });
  return { stdout, stderr, status };
}

describe('doctor --gpu-audit', () => {
  it.skipIf(!wheel && !ownIsCuda)('finds a GPU kernel for every op of every step (needs the CUDA wheel)', () => {
    const { stdout, status } = audit({});
    expect(stdout).toMatch(/^A GPU can run every op\.$/m);
    expect(stdout.match(/all on the GPU$/gm)!.length).toBeGreaterThan(10);
    expect(stdout).toMatch(/^SimCLR step, LARS, bfloat16 +\d{3,} ops/m);
    expect(status).toBe(0);
  });

  it.skipIf(!wheel || nvidiaDriver().found)(
    'loads the CUDA wheel and reports the missing driver (needs the wheel)',
    () => {
      const { stdout } = audit({});
      expect(stdout).toMatch(/^TensorFlow with CUDA; it uses no GPU: .*(cuInit|libcuda)/m);
    },
  );

  it.skipIf(ownIsCuda)('says what it needs where TensorFlow is built without CUDA', () => {
    const { stdout, status } = audit({ PATHLAB_CUDA_WHEEL: '' });
    expect(stdout).toMatch(/built without CUDA.*PATHLAB_CUDA_WHEEL/);
    expect(status).toBe(1);
  });

  it('says so where the folder holds no wheel', () => {
    const folder = mkdtempSync(join(tmpdir(), 'no-wheel-'));
    const { stderr, status } = audit({ PATHLAB_CUDA_WHEEL: folder });
    rmSync(folder, { recursive: true });
    expect(stderr).toMatch(/there is no tensorflow\/libtensorflow_cc.*\n.*Remedy/);
    expect(status).toBe(1);
  });
});

describe('the lookup', () => {
  const ops = (step: (x: Tensor) => unknown) => recordedOps('step', step, [tf.ones([1, 4, 4, 3])]);
  const enlarge = (x: Tensor) => {
    const attributes = [attribute.type('T', 'float32'), attribute.string('kernel_type', 'lanczos3')];
    const inputs = [x, tf.tensor1d([8, 8], 'int32'), tf.tensor1d([2, 2]), tf.tensor1d([0, 0])];
    return runOp('ScaleAndTranslate', [...attributes, attribute.bool('antialias', true)], inputs);
  };

  it('names an op that has none, with its dtypes and its line, once', () => {
    const missing = withoutGpuKernel(ops((x) => enlarge(x).add(enlarge(x)))).filter(({ what }) => /Scale/.test(what));
    expect(missing).toHaveLength(1);
    expect(missing[0]!.what).toBe('ScaleAndTranslate(T: float32)');
    expect(missing[0]!.line).toMatch(/gpu-audit\.test\.ts:\d+:\d+$/);
  });

  it.skipIf(hasGpuKernels())('finds none for the simplest op in a library without CUDA', () => {
    expect(withoutGpuKernel(ops((x) => x.add(x))).map(({ what }) => what)).toEqual(['Add(T: float32)']);
  });

  it('takes kernels for every device, and what handles texts', () => {
    const identity = withoutGpuKernel(ops((x) => runOp('IdentityN', [], [x])));
    expect(identity).toEqual([]);
    const stack = (x: Tensor) => runOp('Pack', [attribute.int('N', 2), attribute.type('T', 'string')], [x, x]);
    expect(withoutGpuKernel(recordedOps('stack', stack, [tf.tensor1d(['a'], 'string')]))).toEqual([]);
  });
});

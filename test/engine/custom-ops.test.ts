import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { opsFile } from '../../kernel-setup/setup/paths.mjs';
import { loadCustomOps } from '../../src/engine/custom-ops.js';
import { attribute, describeDevice, executeOp, hasCustomOps, tf } from '../../src/engine/index.js';
import { binding } from '../../src/engine/runtime.js';

describe("pathlab's own TensorFlow ops", () => {
  it('are loaded on a CPU, and the device says so', () => {
    expect(describeDevice().customOps).toBe(describeDevice().type === 'cpu');
  });

  it('stay away when they are asked to, and refuse what is neither on nor off', () => {
    const program = "import('./dist/index.js').then((p) => console.log(p.describeDevice().customOps))";
    const run = (value: string) =>
      spawnSync(process.execPath, ['-e', program], {
        encoding: 'utf8',
        env: { ...process.env, PATHLAB_CUSTOM_OPS: value },
      });
    expect(run('off').stdout).toBe('false\n');
    expect(run('perhaps').stderr).toContain('PATHLAB_CUSTOM_OPS is "perhaps"; it takes on or off');
  });

  it('are asked for where set-up has not built them, or built them for another CPU', () => {
    const folder = mkdtempSync(join(tmpdir(), 'pathlab-ops-'));
    const load = (onGpu = false) =>
      loadCustomOps({ isUsingGpuDevice: () => onGpu, loadLibrary: () => expect.unreachable() }, folder);
    expect(load).toThrow(/ops are not built: there is no .*pathlab_ops\.so\nRun `npm run setup`/);
    expect(() => load(true)).not.toThrow();
    writeFileSync(join(folder, 'pathlab_ops.so'), '');
    writeFileSync(join(folder, 'pathlab_ops.json'), JSON.stringify({ cpuFlags: ['of_no_cpu'] }));
    if (process.platform === 'linux')
      expect(load).toThrow(/another CPU: this one lacks of_no_cpu\nRun `npm run setup`/);
    rmSync(folder, { recursive: true });
  });

  it.skipIf(!tf.backend() || !hasCustomOps())('name what is wrong with their inputs', () => {
    const attributes = [attribute.type('T', 'float32'), attribute.float('epsilon', 1e-6)];
    expect(() => executeOp('PathlabLayerNorm', attributes, [tf.ones([2, 4]), tf.ones([4]), tf.ones([5])], 3)).toThrow(
      /PathlabLayerNorm[\s\S]*bias is \[5\], but the rows of x have 4 columns/,
    );
  });

  it('can be loaded again, and a missing library gives its path', () => {
    if (hasCustomOps()) expect(() => binding().loadLibrary(opsFile)).not.toThrow();
    expect(() => binding().loadLibrary('/nowhere/ops.so')).toThrow(/loadLibrary: .*\/nowhere\/ops\.so/);
  });
});

import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { copyProject } from '../../bench/project-copy.mjs';
import { nvidiaDriver } from '../../kernel-setup/setup/device.mjs';
import { steps } from '../../kernel-setup/setup/main.mjs';
import { readStamp } from '../../kernel-setup/setup/state.mjs';
import { selfTest } from '../../kernel-setup/setup/steps/self-test.mjs';

const projectRoot = fileURLToPath(new URL('../../', import.meta.url));

function doctor(project: string, args: string[] = [], environment: NodeJS.ProcessEnv = process.env) {
  const program = join(project, 'kernel-setup/pathlab.mjs');
  return spawnSync(process.execPath, [program, 'doctor', ...args], {
    cwd: project,
    encoding: 'utf8',
    env: environment,
  });
}

const fiveLines = /^Node .*\ntfjs .*\nTensorFlow .*\nDevice .*\nCPU features .*\n\n/;

// Where set-up did not make this checkout's environment, doctor rightly finds faults.
describe.skipIf(!readStamp('self-test'))('doctor on an installation that set-up made', () => {
  it('begins with the five lines and names a remedy for every fault', () => {
    const { stdout, status } = doctor(projectRoot);
    expect(stdout).toMatch(fiveLines);
    expect(stdout).toMatch(/^TensorFlow +2\.21\.0$/m);
    for (const { title } of steps.filter((step) => step !== selfTest)) {
      expect(stdout).toMatch(new RegExp(`^ok +${title} +(?!undefined)\\S`, 'm'));
    }
    const faults = stdout.match(/^FAULT/gm)?.length ?? 0;
    expect(stdout.match(/^ +Remedy: ./gm)?.length ?? 0).toBe(faults);
    expect(status).toBe(faults === 0 ? 0 : 1);
  });

  it.skipIf(nvidiaDriver().found)("--device gpu without a GPU: says so with the loader's own reason, exits 1", () => {
    const { stdout, status } = doctor(projectRoot, ['--device', 'gpu']);
    expect(stdout).toMatch(fiveLines);
    expect(stdout).toMatch(
      /^FAULT +GPU +this machine has no GPU that TensorFlow can use: .*libcuda\.so\.1: cannot open/m,
    );
    expect(stdout).toMatch(/Remedy: install the NVIDIA driver/);
    expect(status).toBe(1);
  });
});

describe('doctor on a fresh clone', () => {
  let project: string;
  beforeEach(() => {
    project = copyProject();
  });
  afterEach(() => rmSync(project, { recursive: true, force: true }));

  it('works, says what is missing and what to do, and exits 1', () => {
    const { stdout, stderr, status } = doctor(project);
    expect(stdout).toMatch(fiveLines);
    expect(stdout).toMatch(/^tfjs +not installed$/m);
    for (const part of ['npm packages', 'Python packages', 'TensorFlow', 'Jupyter kernel', 'pathlab package']) {
      expect(stdout).toMatch(new RegExp(`^FAULT +${part} +was never finished\n +Remedy: npm run setup$`, 'm'));
    }
    expect(stderr).toBe('');
    expect(status).toBe(1);
  });

  it('every other command says that the package is not built', () => {
    const program = join(project, 'kernel-setup/pathlab.mjs');
    const { stderr, status } = spawnSync(process.execPath, [program, 'run', 'x'], { encoding: 'utf8' });
    expect(stderr).toBe('pathlab: the package is not built yet\n  Remedy: npm run setup\n');
    expect(status).toBe(1);
  });
});

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { childEnvironment } from './main.mjs';
import { inProject } from './paths.mjs';
import { libraryNames } from './steps/tensorflow.mjs';

/**
 * `pathlab doctor --gpu-audit`: which ops of the project's steps a GPU could not run, told by TensorFlow with CUDA, on
 * any machine. `PATHLAB_CUDA_WHEEL` names the folder that its wheel was installed in, where the project's own
 * TensorFlow is the CPU's: the addon serves both.
 *
 * @returns {number} the exit code
 */
export function gpuAudit(environment = process.env) {
  const program = inProject('dist/cli/gpu-audit.js');
  if (!existsSync(program)) {
    console.error('pathlab doctor --gpu-audit: the package is not built yet\n  Remedy: npm run setup');
    return 1;
  }
  // Custom ops are the CPU's; on a GPU their composed forms run.
  const child = { ...childEnvironment(), PATHLAB_CUSTOM_OPS: 'off' };
  const wheel = environment.PATHLAB_CUDA_WHEEL;
  if (wheel) {
    const folder = join(wheel, 'tensorflow');
    if (!existsSync(join(folder, libraryNames[0]))) {
      console.error(
        `pathlab doctor --gpu-audit: PATHLAB_CUDA_WHEEL is ${wheel}, where there is no tensorflow/${libraryNames[0]}\n` +
          "  Remedy: name the folder that pip installed the wheel in (its --target, or an environment's site-packages)",
      );
      return 1;
    }
    child.LD_LIBRARY_PATH = [folder, environment.LD_LIBRARY_PATH].filter(Boolean).join(':');
  }
  const run = `import(${JSON.stringify(program)}).then(({ gpuAudit }) => { process.exitCode = gpuAudit(); })`;
  return spawnSync(process.execPath, ['-e', run], { stdio: 'inherit', env: child }).status ?? 1;
}

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const project = fileURLToPath(new URL('../', import.meta.url));

/**
 * An environment in which Jupyter knows both kernels: ours as `pathlab`, and as `tslab` the installed tslab as it ships,
 * but for ending some time after the program that started it.
 *
 * @returns {{ environment: NodeJS.ProcessEnv, remove(): void }}
 */
export function bothKernels() {
  const folder = mkdtempSync(join(tmpdir(), 'pathlab-kernels-'));
  const spec = {
    argv: [
      process.execPath,
      `--require=${join(project, 'bench/end-with-parent.cjs')}`,
      join(project, 'node_modules/tslab/bin/tslab'),
      'kernel',
      '--config-path={connection_file}',
    ],
    display_name: 'tslab as it ships',
    language: 'typescript',
  };
  mkdirSync(join(folder, 'kernels/tslab'), { recursive: true });
  writeFileSync(join(folder, 'kernels/tslab/kernel.json'), JSON.stringify(spec));
  const path = [join(project, '.venv/share/jupyter'), folder].join(':');
  return {
    environment: { ...process.env, JUPYTER_PATH: path, PATH: `${join(process.execPath, '..')}:${process.env.PATH}` },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

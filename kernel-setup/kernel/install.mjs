import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

/**
 * Writes the kernelspec into the project's Python environment, where its Jupyter looks first. The spec finds the
 * launcher from its own place, so the project can be moved.
 *
 * @param {{ projectRoot: string, venv: string, heapMegabytes: number }} options
 * @returns {string} the kernelspec's path
 */
export function installKernelspec({ venv, heapMegabytes }) {
  const folder = join(venv, 'share', 'jupyter', 'kernels', 'pathlab');
  const file = join(folder, 'kernel.json');
  const spec = {
    argv: [
      'node',
      `--max-old-space-size=${heapMegabytes}`,
      '{resource_dir}/../../../../../kernel-setup/kernel/main.cjs',
      '{connection_file}',
    ],
    display_name: 'TypeScript (pathlab)',
    language: 'typescript',
    interrupt_mode: 'signal',
  };
  const text = `${JSON.stringify(spec, null, 2)}\n`;
  if (existsSync(file) && readFileSync(file, 'utf8') === text) return file;
  mkdirSync(folder, { recursive: true });
  writeWhole(file, text);
  return file;
}

function writeWhole(file, text) {
  const partial = `${file}.${process.pid}.partial`;
  const handle = openSync(partial, 'w');
  writeFileSync(handle, text);
  fsyncSync(handle);
  closeSync(handle);
  renameSync(partial, file);
}

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
import { homedir } from 'node:os';
import { join } from 'node:path';

/**
 * Writes the kernelspec into the project's Python environment, where its Jupyter looks first. The spec finds the
 * launcher from its own place, so the project can be moved.
 *
 * @param {{ venv: string, heapMegabytes: number, settings?: Record<string, string> }} options `settings` by the names
 *   of settings.cjs
 * @returns {string} the kernelspec's path
 */
export function installKernelspec({ venv, heapMegabytes, settings }) {
  const launcher = '{resource_dir}/../../../../../kernel-setup/kernel/main.cjs';
  return writeKernelspec(join(venv, 'share', 'jupyter'), { node: 'node', launcher, heapMegabytes, settings });
}

/**
 * Makes the kernel known to every Jupyter and VS Code of this user. This spec names the project by its path, and the
 * Node that runs this, since other programs start it with a PATH of their own.
 *
 * @param {{ projectRoot: string, heapMegabytes: number, settings?: Record<string, string>, data?: string }} options as
 *   above; `data` is Jupyter's data folder
 * @returns {string} the kernelspec's path
 */
export function installUserKernelspec({ projectRoot, heapMegabytes, settings, data = userDataFolder() }) {
  const launcher = join(projectRoot, 'kernel-setup/kernel/main.cjs');
  return writeKernelspec(data, { node: process.execPath, launcher, heapMegabytes, settings });
}

/** Where Jupyter keeps what belongs to a user (`jupyter --paths`). */
function userDataFolder() {
  if (process.env.JUPYTER_DATA_DIR) return process.env.JUPYTER_DATA_DIR;
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Jupyter');
  return join(process.env.XDG_DATA_HOME ?? join(homedir(), '.local', 'share'), 'jupyter');
}

function writeKernelspec(data, { node, launcher, heapMegabytes, settings = {} }) {
  const folder = join(data, 'kernels', 'pathlab');
  const file = join(folder, 'kernel.json');
  const set = Object.entries(settings).map(([name, value]) => `--${name}=${value}`);
  const spec = {
    argv: [node, `--max-old-space-size=${heapMegabytes}`, launcher, ...set, '{connection_file}'],
    display_name: 'TypeScript (pathlab)',
    language: 'typescript',
    interrupt_mode: 'signal',
    metadata: { debugger: false },
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

import { existsSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const projectRoot = fileURLToPath(new URL('../../', import.meta.url)).replace(/[\\/]$/, '');

/** A path inside the project. */
export const inProject = (...parts) => join(projectRoot, ...parts);

/** A path as people type it who stand in the project's folder. */
export const shown = (path) => relative(projectRoot, path);

/** Set-up's own state: stamps, the lock, logs, what is being built. */
export const inState = (...parts) => inProject('.pathlab', ...parts);

export const venv = inProject('.venv');
export const venvPython = join(venv, 'bin', 'python');

/** `.venv/lib/python3.N/site-packages`, or undefined if there is no environment yet. */
export function sitePackages() {
  const lib = join(venv, 'lib');
  if (!existsSync(lib)) return undefined;
  const version = readdirSync(lib).find((name) => /^python3\.\d+$/.test(name));
  return version && join(lib, version, 'site-packages');
}

export const addonFile = inProject('node_modules/@tensorflow/tfjs-node-gpu/lib/napi-v8/tfjs_binding.node');

/** pathlab's own TensorFlow ops, and what they were built for, beside the addon that loads them. */
export const opsFile = inProject('node_modules/@tensorflow/tfjs-node-gpu/lib/napi-v8/pathlab_ops.so');
export const opsDescription = opsFile.replace(/so$/, 'json');

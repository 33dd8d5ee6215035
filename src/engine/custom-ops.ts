import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** Where set-up puts the library: beside tfjs-node's addon. */
const besideAddon = () =>
  join(dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-node-gpu/package.json')), 'lib', 'napi-v8');

let loaded = false;

/**
 * Loads pathlab's own TensorFlow ops (kernel-setup/native/ops) where they serve: their kernels are the CPU's. They stay away
 * on a GPU, and where `PATHLAB_CUSTOM_OPS` is `off`; functions that have one then compute from TensorFlow's own ops.
 *
 * @throws Error if the library is not there, or was built for a CPU with instructions that this one lacks
 */
export function loadCustomOps(
  binding: { isUsingGpuDevice(): boolean; loadLibrary(path: string): void },
  folder = besideAddon(),
): void {
  const wanted = process.env.PATHLAB_CUSTOM_OPS || 'on';
  if (wanted !== 'on' && wanted !== 'off') {
    throw new Error(`PATHLAB_CUSTOM_OPS is "${wanted}"; it takes on or off, or leave it unset`);
  }
  if (wanted === 'off' || binding.isUsingGpuDevice()) return;
  const library = join(folder, 'pathlab_ops.so');
  if (!existsSync(library)) {
    throw new Error(
      `pathlab's TensorFlow ops are not built: there is no ${library}\n` +
        'Run `npm run setup`: it builds them. (PATHLAB_CUSTOM_OPS=off runs without them.)',
    );
  }
  const { cpuFlags } = JSON.parse(readFileSync(join(folder, 'pathlab_ops.json'), 'utf8')) as { cpuFlags: string[] };
  const missing = missingFlags(cpuFlags);
  if (missing.length > 0) {
    throw new Error(
      `pathlab's TensorFlow ops were built for another CPU: this one lacks ${missing.slice(0, 5).join(', ')}\n` +
        'Run `npm run setup` here: it builds them for this CPU. (PATHLAB_CUSTOM_OPS=off runs without them.)',
    );
  }
  binding.loadLibrary(library);
  loaded = true;
}

/** Whether pathlab's own TensorFlow ops are in use. They sum in an order of their own, so it is part of a result's bits. */
export function hasCustomOps(): boolean {
  return loaded;
}

function missingFlags(built: readonly string[]): string[] {
  if (process.platform !== 'linux') return [];
  const listed = /^(?:flags|Features)\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? '';
  const here = new Set(listed.trim().split(/\s+/));
  return built.filter((flag) => !here.has(flag));
}

import { createRequire } from 'node:module';
import { totalmem } from 'node:os';
import { readStamp, writeStamp } from './state.mjs';

const { logLevels } = createRequire(import.meta.url)('../kernel/settings.cjs');

/** What the command line says of the kernel that it installs. */
export const kernelOptions = {
  heap: { type: 'string' },
  threads: { type: 'string' },
  'tf-log': { type: 'string' },
};

export const kernelOptionsHelp = `[--heap MEGABYTES|auto] [--threads N|auto] [--tf-log ${Object.keys(logLevels).join('|')}|auto]`;

const isCount = (value) => /^[1-9]\d*$/.test(value);
const checks = {
  heap: { accepts: (value) => isCount(value) && Number(value) >= 256, takes: 'megabytes, 256 at least' },
  threads: { accepts: isCount, takes: 'a number' },
  'tf-log': { accepts: (value) => Object.hasOwn(logLevels, value), takes: Object.keys(logLevels).join(', ') },
};

/**
 * The kernel's options among those of a command line.
 *
 * @throws Error if a value is not one that the option takes
 */
export function askedKernelOptions(options) {
  const asked = {};
  for (const [name, { accepts, takes }] of Object.entries(checks)) {
    const value = options[name];
    if (value === undefined) continue;
    if (value !== 'auto' && !accepts(value)) throw new Error(`--${name} takes ${takes}, or auto, not ${value}`);
    asked[name] = value;
  }
  return asked;
}

/** Keeps what is asked for, beside what was asked for before; `auto` takes an option back. */
export function rememberKernelOptions(asked) {
  if (Object.keys(asked).length === 0) return;
  const all = Object.entries({ ...remembered(), ...asked });
  writeStamp('kernel-options', Object.fromEntries(all.filter(([, value]) => value !== 'auto')));
}

const remembered = () => readStamp('kernel-options') ?? {};

/** V8's heap for a notebook: half of the memory, since tensors live outside of it; 8 GB at most. */
const defaultHeap = () => Math.min(8192, Math.floor(totalmem() / 2 ** 30 / 2) * 1024 || 512);

/**
 * What the kernelspec is to say.
 *
 * @returns {{ heapMegabytes: number, settings: Record<string, string> }}
 */
export function kernelspecOptions() {
  const { heap, ...settings } = remembered();
  const device = readStamp('device')?.device;
  return { heapMegabytes: Number(heap ?? defaultHeap()), settings: { ...settings, ...(device && { device }) } };
}

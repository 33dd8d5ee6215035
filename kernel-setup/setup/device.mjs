import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from './fault.mjs';
import { readStamp, writeStamp } from './state.mjs';

const libraryFolders = [
  '/usr/lib/x86_64-linux-gnu',
  '/usr/lib64',
  '/usr/lib',
  '/usr/lib/wsl/lib',
  '/usr/local/nvidia/lib64',
  '/run/opengl-driver/lib',
];

/**
 * Looks for NVIDIA's driver: its library and the device node through which it reaches a GPU (`/dev/dxg` is that of
 * Windows' Linux subsystem).
 *
 * @returns `{ found: true, library }`, or `{ found: false, reason }`
 */
export function nvidiaDriver({ environment = process.env, exists = existsSync } = {}) {
  if (process.platform !== 'linux') return { found: false, reason: `NVIDIA has no driver for ${process.platform}` };
  const folders = [...(environment.LD_LIBRARY_PATH ?? '').split(':').filter(Boolean), ...libraryFolders];
  const library = folders.map((folder) => join(folder, 'libcuda.so.1')).find((path) => exists(path));
  if (!library) return { found: false, reason: "the NVIDIA driver's library libcuda.so.1 is not installed" };
  if (!exists('/dev/nvidiactl') && !exists('/dev/dxg')) {
    return { found: false, reason: `the driver's library ${library} is there, but no GPU device (/dev/nvidiactl)` };
  }
  return { found: true, library };
}

/**
 * Which TensorFlow to install: what is asked for, else what was asked for last, else the one for the GPU if there is an
 * NVIDIA driver.
 *
 * @param {'cpu' | 'gpu' | undefined} asked
 * @throws Fault if a GPU is asked for where there is none
 */
export function chooseDevice(asked) {
  const remembered = readStamp('device')?.device;
  const device = asked ?? remembered;
  const driver = nvidiaDriver();
  if (device === 'gpu') {
    if (!driver.found) {
      const when = asked ? '' : ' (by an earlier --device gpu)';
      throw new Fault(
        `a GPU was requested${when}, but this machine has no usable one: ${driver.reason}.`,
        'install the NVIDIA driver (in a container, start it with its GPUs), or run `npm run setup -- --device cpu`.',
      );
    }
    if (process.arch !== 'x64') {
      throw new Fault(
        `TensorFlow has no GPU wheel for ${process.platform}-${process.arch}.`,
        'run `npm run setup -- --device cpu`.',
      );
    }
  }
  if (asked && asked !== remembered) writeStamp('device', { device: asked });
  return device ?? (driver.found && process.arch === 'x64' ? 'gpu' : 'cpu');
}

import { spawnSync } from 'node:child_process';
import { binding } from './runtime.js';

/**
 * GPU memory that this process holds, GiB, as the driver's `nvidia-smi` tells. TensorFlow's allocator grows as needed and gives
 * nothing back, so that it is at least the peak so far. Undefined where TensorFlow uses no GPU, or the driver does not tell.
 */
export function heldGpuGibibytes(): number | undefined {
  if (!binding().isUsingGpuDevice()) return undefined;
  const query = ['--query-compute-apps=pid,used_memory', '--format=csv,noheader,nounits'];
  return gibibytesOf(spawnSync('nvidia-smi', query, { encoding: 'utf8' }).stdout ?? '', process.pid);
}

/** @param listed lines of a process number and MiB; a process on several GPUs has several */
export function gibibytesOf(listed: string, pid: number): number | undefined {
  const own = listed
    .split('\n')
    .map((line) => line.split(',').map(Number))
    .filter(([of, mebibytes]) => of === pid && Number.isFinite(mebibytes));
  if (own.length === 0) return undefined;
  return own.reduce((sum, [, mebibytes]) => sum + mebibytes!, 0) / 1024;
}

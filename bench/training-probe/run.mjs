import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { median } from '../worker.mjs';

const program = fileURLToPath(new URL('probe.mjs', import.meta.url));
const run = promisify(execFile);

/** Runs the probe (see probe.mjs) in a process of its own, with other environment variables if need be. */
export async function runProbe(settings, environment = {}) {
  const { stdout } = await run(process.execPath, ['--expose-gc', program, JSON.stringify(settings)], {
    env: { ...process.env, ...environment },
    maxBuffer: 1 << 26,
  });
  return JSON.parse(stdout.trim().split('\n').at(-1));
}

/**
 * Growth of memory between the tenth part of the steps after `from` and the last tenth, of medians, so that one
 * collection of garbage decides nothing.
 *
 * @param {{steps: number[], megabytes: number[]}} seen
 * @returns {number} 0.01 is one percent
 */
export function growth({ steps, megabytes }, from) {
  const values = megabytes.filter((_, place) => steps[place] >= from);
  const part = Math.max(3, Math.floor(values.length / 10));
  return median(values.slice(-part)) / median(values.slice(0, part)) - 1;
}

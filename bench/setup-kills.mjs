import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** What npm and the launcher's own run leave in the environment would make a copy look like the original. */
const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('npm_')));

const command = (folder) => [process.execPath, [join(folder, 'kernel-setup/setup.mjs')]];

/** Runs set-up to its end. */
export function finishSetUp(folder) {
  const started = performance.now();
  const [node, args] = command(folder);
  const { status, stdout, stderr } = spawnSync(node, args, { cwd: folder, encoding: 'utf8', env: environment });
  return { status, seconds: (performance.now() - started) / 1000, output: stdout + stderr };
}

/**
 * Starts set-up and ends it with SIGKILL after some seconds, if it is not done by then.
 *
 * @returns {Promise<{killed: boolean, lastLine: string}>} the last line says where it was
 */
export async function killSetUp(folder, seconds) {
  const [node, args] = command(folder);
  const child = spawn(node, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'], env: environment });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output += chunk;
    });
  }
  const ended = once(child, 'exit');
  const timer = new AbortController();
  await Promise.race([ended, sleep(seconds * 1000, undefined, { signal: timer.signal }).catch(() => {})]);
  timer.abort();
  child.kill('SIGKILL');
  const [, signal] = await ended;
  return { killed: signal === 'SIGKILL', lastLine: output.trimEnd().split('\n').at(-1) };
}

/** Whether a set-up copy is whole: doctor finds no fault, and another set-up finds nothing to do. */
export function examineSetUp(folder) {
  const doctor = spawnSync(process.execPath, [join(folder, 'kernel-setup/pathlab.mjs'), 'doctor'], {
    cwd: folder,
    encoding: 'utf8',
    env: environment,
  });
  const again = finishSetUp(folder);
  return {
    well: doctor.status === 0 && again.status === 0 && /up to date/.test(again.output),
    output: doctor.stdout + doctor.stderr + again.output,
  };
}

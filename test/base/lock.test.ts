import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, rmSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { FileLock } from '../../src/base/lock.js';
import { temporaryFolder } from '../datasets/small-dataset.js';

const path = () => join(temporaryFolder(), '.lock');

/** Another process that takes a lock and keeps it. */
async function holder(lock: string) {
  const module = fileURLToPath(new URL('../../dist/base/lock.js', import.meta.url));
  const program = `const { FileLock } = await import(${JSON.stringify(module)});
    globalThis.lock = await FileLock.take(${JSON.stringify(lock)});
    console.log(lock !== undefined);
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  expect(String((await once(child.stdout!, 'data'))[0])).toBe('true\n');
  return child;
}

describe('a lock', () => {
  it('is held by one, within a process too, and free again after its release', async () => {
    const file = path();
    const first = await FileLock.take(file);
    expect(await FileLock.take(file)).toBeUndefined();
    await first!.release();
    expect([first!.isHeld, existsSync(file)]).toEqual([false, false]);
    const second = await FileLock.take(file);
    expect(second!.isHeld).toBe(true);
    await second!.release();
  });

  it('of another process is refused with its owner, and free as soon as that is killed', async () => {
    const file = path();
    const other = await holder(file);
    try {
      await expect(FileLock.require(file, 'the folder is being written')).rejects.toThrow(
        `the folder is being written by process ${other.pid} on ${hostname()}: wait until it ends, or stop it`,
      );
    } finally {
      other.kill('SIGKILL');
      await once(other, 'exit');
    }
    const own = await FileLock.take(file);
    expect(own).toBeDefined();
    await own!.release();
  });

  it('that is shared is held by several, and by none who wants it alone', async () => {
    const file = path();
    const one = await FileLock.take(file, { shared: true });
    const two = await FileLock.take(file, { shared: true });
    expect(await FileLock.take(file)).toBeUndefined();
    await one!.release();
    expect(await FileLock.take(file)).toBeUndefined();
    await two!.release();
    const alone = await FileLock.take(file);
    expect(alone).toBeDefined();
    expect(await FileLock.take(file, { shared: true })).toBeUndefined();
    await alone!.release();
  });

  it('on a file that was removed meanwhile is none', async () => {
    const file = path();
    const first = await FileLock.take(file);
    rmSync(file);
    const second = await FileLock.take(file);
    expect(second).toBeDefined();
    // Releasing the first must not take the second's file away.
    await first!.release();
    expect(await FileLock.take(file)).toBeUndefined();
    await second!.release();
  });
});

import { spawn } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, expect, test, vi } from 'vitest';
import { papermill } from '../../src/cli/papermill.js';

vi.mock('node:child_process', async (original) => ({ ...(await original<object>()), spawn: vi.fn() }));
afterEach(() => vi.restoreAllMocks());

/** Papermill in this process's place: what it is sent, and its end. */
function begun() {
  const child = Object.assign(new EventEmitter(), { kill: vi.fn(), pid: 2 ** 30 });
  vi.mocked(spawn).mockReturnValue(child as never);
  const status = papermill({ input: 'in', output: 'out', parameters: {}, folder: '.' });
  return { child, status };
}

test.each([
  [0, 'finished'],
  [1, 'interrupted'],
])('after an interrupt the exit code %i is %s: an interrupt after the last cell stops nothing', async (code, is) => {
  const { child, status } = begun();
  process.emit('SIGINT');
  child.emit('exit', code);
  expect(await status).toBe(is);
});

test('an interrupt that comes twice at once, from SLURM and Snakemake, goes to the cell once', async () => {
  const { child, status } = begun();
  process.emit('SIGINT');
  process.emit('SIGTERM');
  expect(child.kill.mock.calls).toEqual([['SIGINT']]);
  await pause(550);
  process.emit('SIGINT');
  expect(child.kill.mock.calls).toEqual([['SIGINT'], ['SIGINT']]);
  child.emit('exit', 1);
  expect(await status).toBe('interrupted');
});

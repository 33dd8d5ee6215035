import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const pathlab = fileURLToPath(new URL('../../kernel-setup/pathlab.mjs', import.meta.url));
const program = fileURLToPath(new URL('launch-worker.mjs', import.meta.url));
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'launch-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

interface Started {
  rank: string;
  local: string;
  count: string;
  host: string;
  port: string;
  job: string;
  pid: number;
}

/** What the workers of all starts left. */
const started = () =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Started);
const isAlive = (pid: number) =>
  existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
const alive = () => started().filter(({ pid }) => isAlive(pid));

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition() && tries < 200; tries++) await setTimeout(100);
  expect(condition()).toBe(true);
}

const launch = (...args: string[]): ChildProcess =>
  spawn(process.execPath, [pathlab, 'launch', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
const worker = (does: string) => ['--', process.execPath, program, folder, does];

async function ended(launcher: ChildProcess) {
  const [[code, signal], out, error] = await Promise.all([
    once(launcher, 'close') as Promise<[number | null, string | null]>,
    text(launcher.stdout!),
    text(launcher.stderr!),
  ]);
  return { code, signal, out, error };
}

describe('pathlab launch', () => {
  it('starts workers that find each other, of which the first one writes to the terminal', async () => {
    expect(await ended(launch('--processes', '3', ...worker('end')))).toEqual({
      ...{ code: 0, signal: null, out: 'worker 0\n', error: '' },
    });
    const workers = started();
    const [{ port, job }] = workers as [Started];
    expect(workers).toEqual(
      ['0', '1', '2'].map((rank) => ({
        ...{ rank, local: rank, count: '3', host: '127.0.0.1', port, job, pid: expect.any(Number) },
      })),
    );
  });

  it('starts all again when one fails, under another name, and leaves no process', async () => {
    const { code, out, error } = await ended(launch('--processes', '2', '--max-restarts', '1', ...worker('fail')));
    expect(code, error).toBe(0);
    expect(out).toBe('worker 0\nworker 0\n');
    expect(error).toMatch(
      /worker 1 of 2 failed with exit code 3:\nthe disk is broken\n.*started again \(1 of at most 1\)/,
    );
    expect(new Set(started().map(({ job }) => job)).size).toBe(2);
    expect(started()).toHaveLength(4);
    expect(alive()).toEqual([]);
  });

  it('gives up after so many restarts, with the exit code of the worker that failed', async () => {
    const { code, error } = await ended(launch('--processes', '2', '--max-restarts', '0', ...worker('fail')));
    expect(code).toBe(3);
    expect(error).toMatch(/the job has failed/);
    expect(alive()).toEqual([]);
  });

  it('interrupts the workers when it is interrupted, and starts none again', async () => {
    const launcher = launch('--processes', '2', ...worker('interrupt'));
    await until(() => started().length === 2);
    launcher.kill('SIGINT');
    expect(await ended(launcher)).toMatchObject({ code: 130, error: '' });
    expect(started()).toHaveLength(2);
    expect(alive()).toEqual([]);
  });

  it('takes its workers with it when it is killed', async () => {
    const launcher = launch('--processes', '2', ...worker('wait'));
    await until(() => started().length === 2);
    launcher.kill('SIGKILL');
    await until(() => alive().length === 0);
  });

  it.each([
    [['--processes', '2'], /usage: .*pathlab launch/],
    [['--processes', '0', '--', 'node'], /--processes takes a positive integer; got "0"/],
    [['--processes', '1', '--', './no-such-program'], /worker 0 could not be started: .*ENOENT/],
  ])('refuses %j', async (args, message) => {
    const { code, error } = await ended(launch(...args));
    expect(code).toBe(1);
    expect(error).toMatch(message);
  });
});

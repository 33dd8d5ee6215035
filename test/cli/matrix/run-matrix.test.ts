import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { matrixFile, runMatrix, smallRoot } from './small-root.js';

const root = smallRoot();
const begun: ChildProcess[] = [];
afterAll(() => {
  for (const child of begun) child.kill('SIGKILL');
  rmSync(root, { recursive: true, force: true });
});

const started = (...args: string[]) => {
  const run = runMatrix(root, args);
  begun.push(run.child);
  return run;
};

const runs = join(root, 'results/runs');
const folderOf = (notebook: string) => {
  const name = existsSync(runs) ? readdirSync(runs).find((each) => each.startsWith(`${notebook}-`)) : undefined;
  return name && join(runs, name);
};

test('a failure stops only what needs it, what is finished is taken as it is, and a page that is missing is written', async () => {
  const first = started(
    matrixFile(
      root,
      `groups:
  bad: { notebook: failing }
  good: { notebook: echo }
  lost: { notebook: echo, parameters: { title: $bad } }
  later: { notebook: streams, after: bad }`,
    ),
  );
  expect(await first.code).toBe(1);
  expect(first.said()).toMatch(/matrix.yaml: 4 runs, 0 of them finished before\ngallery {5}results\/index.html/);
  expect(first.said()).toMatch(
    /== 1 of 4: failing ==[\s\S]*RangeError: no 3[\s\S]*== 2 of 4: echo ==\necho finished[\s\S]*== 1 of 1: streams ==[\s\S]*streams finished/,
  );
  expect(first.said()).toMatch(/2 of 4 runs are finished/);
  expect(first.said()).toMatch(/ {2}failed: failing: see results\/runs\/failing-smoke-\w{8}\/notebook.html/);
  expect(first.said()).toMatch(/ {2}not begun: echo, title failing-\S+: it needs failing-smoke-/);
  expect(first.said()).toMatch(/To go on: npm run notebook -- --matrix \S+matrix.yaml/);
  expect(existsSync(join(root, 'results/index.html'))).toBe(true);

  // As a kill leaves it between its last result and its page.
  const page = join(folderOf('echo')!, 'notebook.html');
  const executed = readFileSync(join(folderOf('echo')!, 'notebook.ipynb'), 'utf8');
  rmSync(page);
  const file = matrixFile(root, 'groups:\n  good: { notebook: echo }', 'good.yaml');
  for (const before of [0, 1]) {
    const again = started(file);
    expect(await again.code, again.said()).toBe(0);
    expect(again.said()).toContain(`1 runs, ${before} of them finished before`);
    expect(again.said()).toContain('1 of 1 runs are finished');
    expect(readFileSync(page, 'utf8')).toContain('Echo');
    expect(JSON.parse(readFileSync(join(folderOf('echo')!, 'notebook.ipynb'), 'utf8'))).toEqual(JSON.parse(executed));
  }
}, 120_000);

test('a matrix that is killed leaves no kernel; the next one waits for its work to be saved; Ctrl-C stops all', async () => {
  const file = matrixFile(root, 'groups:\n  slow: { notebook: training }', 'slow.yaml');
  const log = () => {
    const path = join(folderOf('training') ?? '', 'log');
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  };
  const kernels = () => [...log().matchAll(/pid (\d+)/g)].map(([, pid]) => Number(pid));

  const first = started(file);
  await until(() => kernels().length === 1);
  const second = started(file);
  expect(await second.code).toBe(1);
  expect(second.said()).toMatch(/slow.yaml is being run by process \d+/);
  first.child.kill('SIGKILL');
  await once(first.child, 'exit');
  const third = started(file);
  await until(() => kernels().length === 2);
  expect(log()).toMatch(/^pid \d+\ncheckpoint\npid \d+\n$/);
  expect(isRunning(kernels()[0]!)).toBe(false);

  third.child.kill('SIGINT');
  expect(await third.code).toBe(130);
  expect(third.said()).toMatch(/ {2}interrupted: training: see results/);
  expect(log()).toMatch(/checkpoint\n$/);
  expect(isRunning(kernels()[1]!)).toBe(false);
}, 120_000);

test('the plan names runs in order, and no number that is not known', async () => {
  const file = matrixFile(
    root,
    'groups:\n  two: { notebook: echo, parameters: { title: $one } }\n  one: { notebook: values, resources: { gpus: 2, hours: 5 } }',
    'plan.yaml',
  );
  const plan = started(file, '--dry-run');
  expect(await plan.code).toBe(0);
  expect(plan.said().replace(/\S+ [MG]B are free/, 'free')).toMatch(
    /^ {2}1 {2}values\n {5}new: time not known, disk not known, asks for 2 GPUs, at most 5 h\n {2}2 {2}echo, title values-own-\w{8}\n {5}new: time not known, disk not known\n {5}after 1\n\n2 runs, 0 of them finished\ntime {3}not known, one after another\ndisk {3}not known in results\/; free\n$/,
  );
  expect(folderOf('values')).toBeUndefined();
});

async function until(isSo: () => boolean): Promise<void> {
  for (let waited = 0; waited < 600 && !isSo(); waited++) await pause(100);
  expect(isSo()).toBe(true);
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, describe, expect, test } from 'vitest';
import { projectRoot } from './kernel-client.js';

const folder = mkdtempSync(join(tmpdir(), 'pathlab-papermill-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const notebooks = join(projectRoot, 'test/fixtures/notebooks');
const output = (name: string) => join(folder, name);

/** papermill's own command, as installed by set-up, called from outside the project. */
function papermill(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(join(projectRoot, '.venv/bin/papermill'), args, { cwd: folder }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
    );
  });
}

interface Cell {
  cell_type: string;
  source: string[];
  metadata: { tags?: string[] };
  outputs: { output_type: string; text?: string[]; ename?: string; data?: Record<string, string[]> }[];
}

const cellsOf = (path: string) => JSON.parse(readFileSync(path, 'utf8')).cells as Cell[];

test('--help-notebook lists the parameters', async () => {
  const { code, stdout } = await papermill('--help-notebook', join(notebooks, 'echo.ipynb'));
  expect(code).toBe(0);
  expect(stdout).toMatch(/scale: 'smoke' \| 'demo' \| 'paper' \(default 'smoke'\)\s+size of the run/);
  expect(stdout).toMatch(/epochs: number \| undefined \(default undefined\)\s+passes over the data/);
  expect(stdout).toContain('title: string (default \'a; "title"\')');
});

test('values of every JSON kind arrive, from -p, -r, -y, -b and -f', async () => {
  const file = output('parameters.yaml');
  writeFileSync(file, 'options:\n  rate: 0.5\n  name: "quote \\" and \\u2028 line"\n');
  const { code, stderr } = await papermill(
    ...[join(notebooks, 'echo.ipynb'), output('echo.ipynb'), '-p', 'epochs', '3', '-p', 'shuffled', 'False'],
    ...['-r', 'title', '3', '-y', '{scale: demo, out: null}', '-f', file],
    ...['-b', Buffer.from('{"sizes": [1, -2.5, 1.0e-7]}').toString('base64')],
  );
  expect(stderr).not.toContain('Traceback');
  expect(code).toBe(0);
  const cells = cellsOf(output('echo.ipynb'));
  const injected = cells.find(({ metadata }) => metadata.tags?.includes('injected-parameters'))!;
  expect(injected.source.at(-1)!.trim()).toBe('void 0;');
  expect(injected.outputs).toEqual([]);
  expect(JSON.parse(cells.at(-1)!.outputs[0]!.text!.join(''))).toEqual({
    scale: 'demo',
    epochs: 3,
    title: '3',
    sizes: [1, -2.5, 1e-7],
    options: { rate: 0.5, name: 'quote " and \u2028 line' },
    shuffled: false,
  });
});

test('unknown names and wrong types are refused together, plainly, before anything runs', async () => {
  const { code, stderr } = await papermill(
    ...[join(notebooks, 'echo.ipynb'), output('refused.ipynb'), '-p', 'epohcs', '3', '-p', 'scale', 'huge'],
    ...['-p', 'title', '3'],
  );
  expect(code).toBe(1);
  expect(stderr).toContain('Unknown parameter "epohcs"; did you mean "epochs"?');
  expect(stderr).toContain("Parameter \"scale\" takes 'smoke' | 'demo' | 'paper'; got \"huge\" (string)");
  expect(stderr).toContain('-r keeps text as it is');
  expect(stderr).toContain('  epochs: number | undefined = undefined   passes over the data');
  expect(stderr).not.toContain('Traceback');
  expect(existsSync(output('refused.ipynb'))).toBe(false);
});

test('a number that TypeScript cannot hold is refused', async () => {
  const { code, stderr } = await papermill(
    ...[join(notebooks, 'echo.ipynb'), output('refused.ipynb'), '-p', 'epochs', '9007199254740993'],
  );
  expect(code).toBe(1);
  expect(stderr).toContain('9007199254740993 is a larger number than TypeScript holds exactly');
});

test("a failing cell: exit code 1, the cell's trace and not Python's, the partial notebook", async () => {
  const { code, stderr } = await papermill(join(notebooks, 'failing.ipynb'), output('failing.ipynb'));
  expect(code).toBe(1);
  expect(stderr).toContain('Exception encountered at "In [3]"');
  expect(stderr).toContain('RangeError: no 3');
  expect(stderr).toContain('at broken (In[3]:2:9)');
  expect(stderr).not.toContain('Traceback (most recent call last)');
  const codeCells = cellsOf(output('failing.ipynb')).filter(({ cell_type }) => cell_type === 'code');
  expect(codeCells.map(({ outputs }) => outputs.map(({ output_type }) => output_type))).toEqual([
    [],
    ['stream'],
    ['error'],
    [],
  ]);
});

test('streams are joined and returns rewrite the line, without moving past a display', async () => {
  const { code, stderr } = await papermill(join(notebooks, 'streams.ipynb'), output('streams.ipynb'));
  expect(code).toBe(0);
  // A display of one line, as training loops show, also stands beside papermill's own progress.
  expect(stderr).toMatch(/Executing: .*, shown\]/);
  const [first, shown, last, ...more] = cellsOf(output('streams.ipynb')).at(-1)!.outputs;
  expect(first!.text!.join('')).toBe('step 20\nbetween\n');
  expect(shown!.data).toEqual({ 'text/plain': ['shown'] });
  expect(last!.text!.join('')).toBe('after\n');
  expect(more).toEqual([]);
});

test('Ctrl-C lets the cell save its work: exit code 1, the partial notebook, no further cell', async () => {
  const script = join(projectRoot, '.venv/bin/papermill');
  const args = [join(notebooks, 'training.ipynb'), output('training.ipynb'), '-p', 'out', folder];
  const child = spawn(script, args, { cwd: folder, stdio: 'ignore' });
  const exit = once(child, 'exit');
  const log = join(folder, 'log');
  while (!existsSync(log) && child.exitCode === null) await pause(50);
  child.kill('SIGINT');
  expect(await exit).toEqual([1, null]);
  expect(readFileSync(log, 'utf8')).toMatch(/^pid \d+\ncheckpoint\n$/);
  const outputs = cellsOf(output('training.ipynb')).flatMap((cell) => cell.outputs ?? []);
  expect(outputs.map(({ ename }) => ename)).toContain('Error');
});

describe('other kernels', () => {
  test('keep their translator and engine', async () => {
    const python = output('python.ipynb');
    const cell = (source: string, tags: string[] = []) => ({
      cell_type: 'code',
      id: `cell-${tags.length}`,
      metadata: { tags },
      source,
      outputs: [],
      execution_count: null,
    });
    const kernelspec = { name: 'python3', display_name: 'Python 3', language: 'python' };
    const cells = [cell('a = 1', ['parameters']), cell('print(a, unknown)')];
    writeFileSync(python, JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata: { kernelspec }, cells }));
    const { code } = await papermill(python, output('python-out.ipynb'), '-p', 'a', '2', '-p', 'unknown', '3');
    expect(code).toBe(0);
    expect(cellsOf(output('python-out.ipynb')).at(-1)!.outputs[0]!.text).toEqual(['2 3\n']);
  });
});

test('a rejection that nobody awaits is shown under its cell, and fails the run', async () => {
  const notebook = JSON.parse(readFileSync(join(notebooks, 'echo.ipynb'), 'utf8'));
  const cell = (id: string, source: string) => ({
    ...{ cell_type: 'code', id, source, metadata: {}, outputs: [], execution_count: null },
  });
  const late = (text: string, ms: number) => `void setTimeout(() => Promise.reject(new Error('${text}')), ${ms});`;
  const cells = [
    cell('a', late('while another cell ran', 1000)),
    cell('b', "await new Promise((resolve) => setTimeout(resolve, 2000));\nconsole.log('went on');"),
    cell('c', late('after the last cell', 20)),
  ];
  writeFileSync(output('late-in.ipynb'), JSON.stringify({ ...notebook, cells }));
  const { code, stderr } = await papermill(output('late-in.ipynb'), output('late.ipynb'));
  expect(code).toBe(1);
  expect(stderr).toMatch(/an error that no cell awaited, of cell 1:[\s\S]*Error: while another cell ran/);
  const [first, second, third] = cellsOf(output('late.ipynb')).filter(({ cell_type }) => cell_type === 'code');
  expect(first!.outputs).toMatchObject([{ output_type: 'error', evalue: 'while another cell ran' }]);
  expect(second!.outputs).toMatchObject([{ output_type: 'stream', text: ['went on\n'] }]);
  expect(third!.outputs).toMatchObject([{ output_type: 'error', evalue: 'after the last cell' }]);
});

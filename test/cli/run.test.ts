import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { projectRoot } from '../../src/base/index.js';
import { main } from '../../src/cli/main.js';
import { runNotebook } from '../../src/cli/run.js';
import { runFolderFor } from '../../src/runs/index.js';

/** A project whose notebooks are the fixtures; the rest is this one's. */
let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'pathlab-run-'));
  mkdirSync(join(root, 'kernel-setup'));
  for (const name of ['src', 'kernel-setup/native', 'data-manifests', 'package-lock.json'])
    symlinkSync(join(projectRoot, name), join(root, name));
  symlinkSync(join(projectRoot, 'test/fixtures/notebooks'), join(root, 'notebooks'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));
afterEach(() => vi.restoreAllMocks());

const outputsOf = (folder: string) =>
  JSON.parse(readFileSync(join(folder, 'notebook.ipynb'), 'utf8')).cells.flatMap(
    (cell: { outputs?: object[] }) => cell.outputs ?? [],
  );

test('a run writes its notebook and a page of its own title that fetches nothing', async () => {
  const { folder, status, page } = await runNotebook('echo', { epochs: 3, title: 'x' }, root);
  expect(status).toBe('finished');
  expect(basename(folder)).toMatch(/^echo-smoke-[0-9a-f]{8}$/);
  // The folder that the notebook itself would choose for all its parameters, defaults included.
  const all = { scale: 'smoke', epochs: 3, title: 'x', sizes: [1, 2], options: { rate: 0.1 }, shuffled: true };
  expect(folder).toBe(runFolderFor('echo', all, root));
  expect(JSON.parse(outputsOf(folder)[0].text.join(''))).toMatchObject({ epochs: 3, title: 'x', out: folder });

  const html = readFileSync(page!, 'utf8');
  expect(/<title>.*?<\/title>/.exec(html)![0]).toBe('<title>Echo &lt;parameters&gt;</title>');
  expect(/<script|<link|<iframe|@import|url\(\s*['"]?(https?:)?\/\//i.exec(html)).toBeNull();
  expect(/\b(src|srcset|poster)\s*=\s*["']?(https?:)?\/\//i.exec(html)).toBeNull();
  expect(html.includes(`content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:"`)).toBe(
    true,
  );
  expect(html.includes('"epochs":3')).toBe(true);
});

test('every value arrives as it was given', async () => {
  const given = {
    epochs: 1e-7,
    title: 'a "quote", \\ \u2028 µ \u{1f52c}\nline: [1e-7, null] # no comment',
    sizes: [-0.5, 1e21, 3],
    options: { rate: 2, name: '' },
    shuffled: false,
  };
  const { folder } = await runNotebook('echo', given, root);
  expect(JSON.parse(outputsOf(folder)[0].text.join(''))).toMatchObject(given);
});

test.each(['', '.', '..', 'src', 'notebooks'])('a run does not write into the folder "%s"', async (out) => {
  await expect(runNotebook('echo', { out }, root)).rejects.toThrow(/a run needs a new or empty folder/);
});

test('infinities, NaN and null arrive as such, in a notebook without scales too', async () => {
  const { folder } = await runNotebook('values', { inf: -Infinity, nan: Number.NaN, nothing: null, left: null }, root);
  expect(basename(folder)).toMatch(/^values-own-[0-9a-f]{8}$/);
  expect(JSON.parse(outputsOf(folder)[0].text.join(''))).toEqual(['-Infinity', 'NaN', 'null', 'undefined']);
});

test('the command takes name=value and the beginning of a name, and says what each scale sets', async () => {
  const said: string[] = [];
  vi.spyOn(console, 'log').mockImplementation((text) => void said.push(String(text)));
  const errors: string[] = [];
  vi.spyOn(console, 'error').mockImplementation((text) => void errors.push(String(text)));
  expect(await main(['run', '11', '--help'])).toBe(0);
  expect(said[0]).toMatch(
    /11-pretrain-simclr:[\s\S]*smoke: 32 steps, batchSize 8,[\s\S]*paper: epochs 40, batchSize 512/,
  );
  // Refused for its value, and not for its form.
  expect(await main(['run', '11-pretrain', '-p', 'epochs=many'])).toBe(1);
  expect(errors[0]).toMatch(/parameter "epochs" takes number \| undefined; got "many"/);
  expect(await main(['run', '0'])).toBe(1);
  expect(errors[1]).toMatch(/Several notebooks begin with "0"/);
});

test('a failing cell leaves the partial notebook and its page', async () => {
  const { folder, status, page } = await runNotebook('failing', {}, root);
  expect(status).toBe('failed');
  expect(outputsOf(folder)).toMatchObject([{ output_type: 'stream' }, { output_type: 'error', ename: 'RangeError' }]);
  expect(readFileSync(page!, 'utf8')).toContain('RangeError: no 3');
});

test('wrong parameters and unknown notebooks are refused before anything is written', async () => {
  const before = readdirSync(join(root, 'results/runs'));
  await expect(runNotebook('echo', { scale: 'huge', epohcs: 1 }, root)).rejects.toThrow(
    /parameter "scale" takes[\s\S]*unknown parameter "epohcs"; did you mean "epochs"[\s\S]*Known parameters:/,
  );
  await expect(runNotebook('nope', {}, root)).rejects.toThrow(/no notebook "nope"[\s\S]*echo[\s\S]*failing/);
  expect(readdirSync(join(root, 'results/runs'))).toEqual(before);
});

test('the command tells unknown commands, notebooks and options plainly, with exit code 1', async () => {
  const said: string[] = [];
  vi.spyOn(console, 'error').mockImplementation((text) => void said.push(String(text)));
  expect(await main(['rnu'])).toBe(1);
  expect(await main(['run', 'nope'])).toBe(1);
  expect(await main(['run', '-p', 'epochs'])).toBe(1);
  expect(await main(['run', '--fast'])).toBe(1);
  expect(said[0]).toMatch(/unknown command "rnu"[\s\S]*run[\s\S]*verify[\s\S]*gallery/);
  expect(said[1]).toContain('no notebook "nope"');
  expect(said[2]).toContain('-p takes a name and a value');
  expect(said[3]).toContain('unexpected "--fast"');
});

function startRun(name: string) {
  const script = fileURLToPath(new URL('run-in-root.mjs', import.meta.url));
  const runner = spawn(process.execPath, [script, root, name], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  runner.stdout.on('data', (chunk) => {
    text += chunk;
  });
  const ended = new Promise((resolve) => runner.once('exit', resolve));
  return { runner, ended, said: () => text };
}

/** The text of a file in the run folder of a notebook, once it is there and holds something. */
async function fileOfRun(notebook: string, file: string): Promise<string> {
  for (let waited = 0; waited < 400; waited++) {
    const folder = readdirSync(join(root, 'results/runs')).find((name) => name.startsWith(notebook));
    const path = folder && join(root, 'results/runs', folder, file);
    const text = path && existsSync(path) ? readFileSync(path, 'utf8') : '';
    if (text !== '') return text;
    await pause(100);
  }
  throw new Error(`${notebook} wrote no ${file}`);
}

test('Ctrl-C lets the running cell save its work, runs no further cell, and the page is written', async () => {
  const { runner, ended, said } = startRun('training');
  const log = await fileOfRun('training', 'log');
  runner.kill('SIGINT');
  await ended;
  expect(said()).toContain('interrupted');
  expect(await fileOfRun('training', 'log')).toBe(`${log}checkpoint\n`);
  expect(await fileOfRun('training', 'notebook.html')).toContain('stopped after a checkpoint');
  expect(isRunning(Number(/pid (\d+)/.exec(log)![1]))).toBe(false);
});

test('a runner that is killed leaves no kernel behind', async () => {
  const { runner, ended } = startRun('endless');
  const kernel = Number(await fileOfRun('endless', 'pid'));
  expect(isRunning(kernel)).toBe(true);
  runner.kill('SIGKILL');
  await ended;
  for (let waited = 0; waited < 200 && isRunning(kernel); waited++) await pause(100);
  expect(isRunning(kernel)).toBe(false);
});

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

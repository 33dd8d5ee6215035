import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
// @ts-expect-error plain JavaScript, because it runs before anything is installed
import { installKernelspec, installUserKernelspec } from '../../kernel-setup/kernel/install.mjs';
// @ts-expect-error as above
import { installPapermillModule } from '../../kernel-setup/python/install.mjs';
// @ts-expect-error as above
import { askedKernelOptions } from '../../kernel-setup/setup/kernel-options.mjs';
import { Kernel, projectRoot, resultOf } from './kernel-client.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pathlab-install-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('the kernelspec finds the launcher from where it lies, and is written only when it changes', () => {
  const venv = join(folder, '.venv');
  const file = installKernelspec({ projectRoot: folder, venv, heapMegabytes: 2048 });
  const spec = JSON.parse(readFileSync(file, 'utf8'));
  expect(spec).toMatchObject({
    display_name: 'TypeScript (pathlab)',
    language: 'typescript',
    interrupt_mode: 'signal',
    metadata: { debugger: false },
  });
  expect(spec.argv[1]).toBe('--max-old-space-size=2048');
  expect(spec.argv.at(-1)).toBe('{connection_file}');
  expect(JSON.stringify(spec)).not.toContain(folder);
  const installed = join(projectRoot, '.venv/share/jupyter/kernels/pathlab');
  const launcher = spec.argv[2].replace('{resource_dir}', installed);
  expect(realpathSync(launcher)).toBe(realpathSync(join(projectRoot, 'kernel-setup/kernel/main.cjs')));

  const before = statSync(file).ino;
  installKernelspec({ projectRoot: folder, venv, heapMegabytes: 2048 });
  expect(statSync(file).ino).toBe(before);
  installKernelspec({ projectRoot: folder, venv, heapMegabytes: 1024 });
  expect(readFileSync(file, 'utf8')).toContain('=1024');
  expect(readdirSync(join(venv, 'share/jupyter/kernels/pathlab'))).toEqual(['kernel.json']);
});

/** The user's kernelspec, installed for a user whose home is this folder, and what `jupyter kernelspec list` says of it. */
function installFor(home: string, options: object): { spec: Record<string, unknown> } {
  const install = new URL('../../kernel-setup/kernel/install.mjs', import.meta.url).href;
  const script = `import { installUserKernelspec } from ${JSON.stringify(install)};
    installUserKernelspec(${JSON.stringify({ projectRoot, ...options })});`;
  // Inside a virtual environment Jupyter prefers that one's kernels, unless it is told otherwise.
  const { JUPYTER_DATA_DIR: _, JUPYTER_PATH: __, XDG_DATA_HOME: ___, ...rest } = process.env;
  const env = { ...rest, HOME: home, JUPYTER_PREFER_ENV_PATH: '0' };
  execFileSync(process.execPath, ['--input-type=module', '-e', script], { env });
  const list = execFileSync(join(projectRoot, '.venv/bin/jupyter'), ['kernelspec', 'list', '--json'], { env });
  return JSON.parse(String(list)).kernelspecs.pathlab;
}

test('for the user the kernelspec is where Jupyter and VS Code look, with what they ask of it', () => {
  const listed = installFor(folder, { heapMegabytes: 1024, settings: { threads: '2' } });
  expect(listed).toMatchObject({
    resource_dir: join(folder, '.local/share/jupyter/kernels/pathlab'),
    spec: {
      argv: [
        ...[process.execPath, '--max-old-space-size=1024', join(projectRoot, 'kernel-setup/kernel/main.cjs')],
        ...['--threads=2', '{connection_file}'],
      ],
      env: {},
      display_name: 'TypeScript (pathlab)',
      language: 'typescript',
      interrupt_mode: 'signal',
      metadata: { debugger: false },
    },
  });
});

test("what the kernelspec sets reaches the cells from elsewhere, and the shell's environment wins", async () => {
  const settings = { threads: '3', 'tf-log': 'error', device: 'cpu' };
  installUserKernelspec({ projectRoot, heapMegabytes: 1024, settings, data: folder });
  // Jupyter looks here first, before the project's own environment.
  const unset = { TF_NUM_INTRAOP_THREADS: undefined, TF_CPP_MIN_LOG_LEVEL: undefined, PATHLAB_DEVICE: undefined };
  const shell = { ...unset, PATHLAB_HEAP_MB: '300', TF_NUM_INTEROP_THREADS: '1' };
  const kernel = await Kernel.start({ folder, env: { JUPYTER_PATH: folder, ...shell } });
  try {
    const { outputs } = await kernel.run(
      `import { getHeapStatistics } from 'node:v8';
      const { TF_NUM_INTRAOP_THREADS, TF_NUM_INTEROP_THREADS, TF_CPP_MIN_LOG_LEVEL, PATHLAB_DEVICE } = process.env;
      const heap = getHeapStatistics().heap_size_limit;
      [TF_NUM_INTRAOP_THREADS, TF_NUM_INTEROP_THREADS, TF_CPP_MIN_LOG_LEVEL, PATHLAB_DEVICE, heap].join(' ')`,
    );
    // V8 adds the young generation to the heap that is asked for, and how much depends on Node's version.
    const words = ['--max-old-space-size=300', '-p', 'v8.getHeapStatistics().heap_size_limit'];
    const heap = execFileSync('node', words, { encoding: 'utf8' }).trim();
    expect(resultOf(outputs)).toBe(`'3 1 2 cpu ${heap}'`);
  } finally {
    await kernel.close();
  }
});

test('options of the kernelspec that set-up cannot take are refused', () => {
  expect(askedKernelOptions({ heap: '4096', threads: 'auto', device: 'cpu' })).toEqual({
    heap: '4096',
    threads: 'auto',
  });
  expect(() => askedKernelOptions({ heap: '4g' })).toThrow('--heap takes megabytes, 256 at least, or auto, not 4g');
  expect(() => askedKernelOptions({ heap: '100' })).toThrow('256 at least');
  expect(() => askedKernelOptions({ threads: '0' })).toThrow('--threads takes a number, or auto, not 0');
  expect(() => askedKernelOptions({ 'tf-log': '2' })).toThrow('--tf-log takes info, warning, error, or auto, not 2');
});

test('set-up remembers them, and takes them back', async () => {
  // The options of this project stay as they are.
  for (const part of ['setup', 'kernel']) {
    cpSync(join(projectRoot, 'kernel-setup', part), join(folder, 'kernel-setup', part), { recursive: true });
  }
  const at = (file: string) => import(pathToFileURL(join(folder, 'kernel-setup/setup', file)).href);
  const { kernelspecOptions, rememberKernelOptions } = await at('kernel-options.mjs');
  const usual = kernelspecOptions();
  expect(usual).toEqual({ heapMegabytes: expect.any(Number), settings: {} });
  rememberKernelOptions({ heap: '4096', threads: '2' });
  rememberKernelOptions({ 'tf-log': 'error' });
  (await at('state.mjs')).writeStamp('device', { device: 'cpu' });
  expect(kernelspecOptions()).toEqual({
    heapMegabytes: 4096,
    settings: { threads: '2', 'tf-log': 'error', device: 'cpu' },
  });
  rememberKernelOptions({ heap: 'auto', threads: 'auto' });
  expect(kernelspecOptions()).toEqual({ ...usual, settings: { 'tf-log': 'error', device: 'cpu' } });
});

test('the papermill module is put whole into site-packages, and mended when it is not', () => {
  const install = () => installPapermillModule({ venv: folder, sitePackages: folder });
  expect(install()).toBe(true);
  expect(install()).toBe(false);
  const info = readdirSync(folder).find((name) => name.endsWith('.dist-info'))!;
  expect(readFileSync(join(folder, info, 'entry_points.txt'), 'utf8')).toBe(
    '[papermill.engine]\npathlab = pathlab_papermill:PathlabEngine\n',
  );
  const record = readFileSync(join(folder, info, 'RECORD'), 'utf8')
    .trim()
    .split('\n');
  for (const line of record.filter((entry) => !entry.endsWith(',,'))) {
    const [path, hash, size] = line.split(',') as [string, string, string];
    const content = readFileSync(join(folder, path));
    expect(hash).toBe(`sha256=${createHash('sha256').update(content).digest('base64url')}`);
    expect(Number(size)).toBe(content.length);
  }

  writeFileSync(join(folder, 'pathlab_papermill/engine.py'), 'half of');
  mkdirSync(join(folder, 'pathlab_papermill/__pycache__'));
  expect(install()).toBe(true);
  expect(readFileSync(join(folder, 'pathlab_papermill/engine.py'), 'utf8')).toContain('class PathlabEngine');
  expect(readdirSync(folder).sort()).toEqual(['pathlab_papermill', info].sort());
});

import { createHash } from 'node:crypto';
import {
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
import { afterEach, beforeEach, expect, test } from 'vitest';
// @ts-expect-error plain JavaScript, because it runs before anything is installed
import { installKernelspec, installUserKernelspec } from '../../kernel-setup/kernel/install.mjs';
// @ts-expect-error as above
import { installPapermillModule } from '../../kernel-setup/python/install.mjs';
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

test('for the user the kernelspec names the project and Node, and works from elsewhere', async () => {
  installUserKernelspec({ projectRoot, heapMegabytes: 1024, data: folder });
  // Jupyter looks here first, before the project's own environment.
  const kernel = await Kernel.start({ folder, env: { JUPYTER_PATH: folder, PATHLAB_HEAP_MB: '300' } });
  try {
    const { outputs } = await kernel.run(
      "import { getHeapStatistics } from 'node:v8';\nMath.round(getHeapStatistics().heap_size_limit / 2 ** 20) < 400",
    );
    expect(resultOf(outputs)).toBe('true');
  } finally {
    await kernel.close();
  }
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

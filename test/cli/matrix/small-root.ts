import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { projectRoot } from '../../../src/base/index.js';

/** A project whose notebooks are the fixtures; the rest is this one's. */
export function smallRoot(): string {
  const root = mkdtempSync(join(tmpdir(), 'pathlab-matrix-'));
  mkdirSync(join(root, 'kernel-setup'));
  for (const name of ['src', 'kernel-setup/native', 'data-manifests', 'package-lock.json'])
    symlinkSync(join(projectRoot, name), join(root, name));
  symlinkSync(join(projectRoot, 'test/fixtures/notebooks'), join(root, 'notebooks'));
  return root;
}

/** Writes a matrix into a root. */
export function matrixFile(root: string, text: string, name = 'matrix.yaml'): string {
  const file = join(root, name);
  writeFileSync(file, text);
  return file;
}

/** Runs a matrix in a root, in a process of its own. */
export function runMatrix(root: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env) {
  const script = fileURLToPath(new URL('run-matrix-in-root.mjs', import.meta.url));
  const child: ChildProcess = spawn(process.execPath, [script, root, ...args], {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  const hear = (chunk: Buffer) => {
    text += chunk;
  };
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', hear);
  const code = new Promise<number | null>((resolve) => child.once('close', resolve));
  return { child, code, said: () => text };
}

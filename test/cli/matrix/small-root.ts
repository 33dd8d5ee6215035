import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { importOrderProblems } from '../kernel-setup/setup/import-order.mjs';

const source = fileURLToPath(new URL('../src', import.meta.url));

describe('the rooms of src/', () => {
  it('import only from rooms above', () => {
    expect(importOrderProblems()).toEqual([]);
  });

  it.each([
    ['runs/wrong.ts', "import { tf } from '../engine/index.js';"],
    ['slides/wrong.ts', "export type { Metric } from '../report/index.js';"],
    ['models/wrong.ts', "const later = await import('../training/index.js');"],
    ['engine/wrong.ts', "import '../index.js';"],
    ['attic/wrong.ts', 'export const nothing = 1;'],
  ])('an import that goes down is found: %s', (name, text) => {
    const root = mkdtempSync(join(tmpdir(), 'pathlab-rooms-'));
    try {
      cpSync(source, join(root, 'src'), { recursive: true });
      mkdirSync(join(root, 'src', name, '..'), { recursive: true });
      writeFileSync(join(root, 'src', name), text);
      expect(importOrderProblems(root)).toEqual([expect.stringContaining(`src/${name}`)]);
    } finally {
      rmSync(root, { recursive: true });
    }
  });

  it('import pathlab without loading TensorFlow', async () => {
    await import('../src/index.js');
    const { sharedObjects } = process.report.getReport() as unknown as { sharedObjects: string[] };
    expect(sharedObjects.filter((path) => path.includes('tensorflow'))).toEqual([]);
  });
});

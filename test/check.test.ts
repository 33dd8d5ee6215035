import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { generated } from '../kernel-setup/environment.mjs';

const projectRoot = fileURLToPath(new URL('../', import.meta.url));

function node(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: projectRoot, encoding: 'utf8' });
  return { status, output: stdout + stderr };
}

describe('npm run check', () => {
  it('types hold', () => {
    expect(node('node_modules/typescript/bin/tsc', '-p', 'tsconfig.json', '--noEmit')).toEqual({
      status: 0,
      output: '',
    });
  });

  it('lint and format hold', () => {
    const { status, output } = node('node_modules/@biomejs/biome/bin/biome', 'check', '--colors=off');
    expect(status, output).toBe(0);
  });

  it('environment.md says what is pinned', () => {
    expect(node('kernel-setup/environment.mjs', '--check')).toEqual({ status: 0, output: '' });
  });

  it('a version that environment.md has wrong is found', () => {
    const page = '<!-- generated: node -->\nNode 12.\n<!-- end -->';
    expect(() => generated(page)).toThrow(/no marker for the generated part "growth"/);
    expect(() => generated('<!-- generated: weather -->\n<!-- end -->')).toThrow(/"weather", which does not exist/);
    const all = ['growth', 'node', 'npm', 'python', 'tensorflow'].map(
      (name) => `<!-- generated: ${name} -->\nold\n<!-- end -->`,
    );
    expect(generated(all.join('\n'))).toContain('Node `^20.19.0');
  });
});

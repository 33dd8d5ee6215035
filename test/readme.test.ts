import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { projectRoot } from '../src/base/index.js';

test('figures of speed in the README are those of the committed results, and none is of a quick run', () => {
  const rows = readFileSync(join(projectRoot, 'README.md'), 'utf8')
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .filter(([, , , figure]) => /^\d+\.\d\d$/.test(figure ?? ''));
  let name = '';
  const figures: Record<string, string[]> = {};
  for (const [, , , figure, command] of rows) {
    name = /npm run bench -- ([\w-]+)/.exec(command ?? '')?.[1] ?? name;
    figures[name] = [...(figures[name] ?? []), figure!];
  }
  expect(Object.keys(figures).sort()).toEqual([
    'kernel',
    'loader',
    'pretrain-epoch',
    'tiles',
    'train-step',
    'vit-step',
  ]);
  for (const [benchmark, shown] of Object.entries(figures)) {
    const result = JSON.parse(readFileSync(join(projectRoot, 'bench', 'results', `${benchmark}.json`), 'utf8'));
    expect(result.quick, benchmark).toBe(false);
    const measured = (Object.values(result.ratios) as number[]).map((ratio) => ratio.toFixed(2));
    expect(measured, benchmark).toEqual(shown);
  }
});

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { projectRoot } from '../../src/base/index.js';

interface Notebook {
  cells: { cell_type: string; source: string[] }[];
}

const folder = join(projectRoot, 'notebooks');
const names = readdirSync(folder).filter((name) => /^1\d-pretrain-.*\.ipynb$/.test(name));

/** A notebook's code without comments and its own name, and its headings. */
function skeletonOf(name: string) {
  const { cells } = JSON.parse(readFileSync(join(folder, name), 'utf8')) as Notebook;
  const of = (type: string) => cells.filter(({ cell_type }) => cell_type === type).map(({ source }) => source.join(''));
  const code = of('code').map((cell) =>
    cell
      .replace(/ *\/\/.*$/gm, '')
      .replaceAll(name.replace('.ipynb', ''), 'NAME')
      // Parameters that not every method has.
      .replace(/^let (microBatches|labelSmoothing|weighted):.*\n/gm, '')
      .replace(/^const classes = .*\n/m, '')
      .replace(/ microBatches,| \.\.\.classes,/g, ''),
  );
  const headings = of('markdown').flatMap((cell) => cell.match(/^## .*$/gm) ?? []);
  // What one method has beside the others.
  return {
    code: code.filter((cell) => !/modelTable|showReconstructions/.test(cell)),
    headings: headings.filter((heading) => heading !== '## Reconstructions'),
  };
}

test('notebooks of pretraining methods differ in their words alone, not in what they do', () => {
  const [first, ...others] = names.map(skeletonOf);
  expect(names).toHaveLength(6);
  expect(first!.code.length).toBeGreaterThan(9);
  for (const other of others) expect(other).toEqual(first);
});

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve, sep } from 'node:path';
import { projectRoot } from './paths.mjs';

/** The rooms of src/ from the ground up: each may import from itself and from those before it. */
export const rooms = [
  'base',
  'download',
  'runs',
  'engine',
  'slides',
  'augment',
  'datasets',
  'input',
  'models',
  'evaluate',
  'training',
  'pretrain',
  'finetune',
  'experiments',
  'report',
  'cli',
];

const imports = /(?:\bfrom|\bimport)\s*\(?\s*['"](\.[^'"]+)['"]/g;

/** What is wrong with the imports between the rooms of src/, one sentence each; empty when all is well. */
export function importOrderProblems(root = projectRoot) {
  const source = join(root, 'src');
  const problems = [];
  for (const name of readdirSync(source, { recursive: true }).filter((path) => path.endsWith('.ts'))) {
    const parts = name.split(sep);
    if (parts.length === 1) continue;
    const room = rooms.indexOf(parts[0]);
    if (room < 0) {
      problems.push(`src/${name} is in no known room`);
      continue;
    }
    for (const [, specifier] of readFileSync(join(source, name), 'utf8').matchAll(imports)) {
      const target = relative(source, resolve(source, name, '..', specifier)).split(sep)[0];
      if (!existsSync(join(source, target)) || rooms.indexOf(target) > room || !rooms.includes(target)) {
        problems.push(`src/${name} imports ${specifier}: ${parts[0]}/ may import only itself and what is above it`);
      }
    }
  }
  return problems;
}

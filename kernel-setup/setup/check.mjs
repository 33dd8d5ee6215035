import { existsSync } from 'node:fs';
import { inForeground } from './foreground.mjs';
import { importOrderProblems } from './import-order.mjs';
import { inProject } from './paths.mjs';

const node = (...args) => inForeground(process.execPath, args, { cwd: inProject() });

function importOrder() {
  const problems = importOrderProblems();
  for (const problem of problems) console.error(problem);
  return problems.length > 0 ? 1 : 0;
}

const checks = {
  types: () => node('node_modules/typescript/bin/tsc', '-p', 'tsconfig.json', '--noEmit'),
  'lint and format': () => node('node_modules/@biomejs/biome/bin/biome', 'check'),
  'import order': importOrder,
  'versions in environment.md': () => node('kernel-setup/environment.mjs', '--check'),
  notebooks: () => node('kernel-setup/check-notebooks.mjs'),
};

/** @returns {Promise<number>} 0 if every check passes */
export async function check() {
  if (!existsSync(inProject('node_modules/typescript'))) {
    console.error('check: the packages are not installed\n  Remedy: npm run setup');
    return 1;
  }
  const failed = [];
  for (const [name, run] of Object.entries(checks)) {
    if ((await run()) !== 0) failed.push(name);
  }
  console.log(failed.length === 0 ? 'All checks pass.' : `Failed: ${failed.join(', ')}.`);
  return failed.length === 0 ? 0 : 1;
}

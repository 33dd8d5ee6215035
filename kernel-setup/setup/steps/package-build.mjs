import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { explain } from '../failures.mjs';
import { inProject } from '../paths.mjs';
import { hashOfFile, hashOfTree } from '../state.mjs';

const isSource = (name) => name.endsWith('.ts');
const isOutput = (name) => /\.(js|d\.ts|js\.map)$/.test(name);
const sourceOf = (output) => output.replace(/\.(js|d\.ts|js\.map)$/, '.ts');

const dist = inProject('dist');

/** Outputs whose source is gone would go on to be importable. */
function removeStale() {
  if (!existsSync(dist)) return;
  for (const name of readdirSync(dist, { recursive: true }).filter(isOutput)) {
    if (!existsSync(inProject('src', sourceOf(name)))) rmSync(join(dist, name));
  }
}

/** `dist/`, which notebooks import, from `src/`. */
export const packageBuild = {
  name: 'package-build',
  title: 'pathlab package',
  diskNeeded: 0.1e9,
  inputs: () => [
    hashOfTree(inProject('src'), isSource),
    hashOfFile(inProject('tsconfig.json')),
    hashOfFile(inProject('node_modules/typescript/package.json')),
  ],
  isIntact: (facts) => hashOfTree(dist, isOutput) === facts.dist,
  describe: () => 'dist/ is made from the present src/',
  async run({ children, environment }) {
    const compiler = inProject('node_modules/typescript/bin/tsc');
    try {
      await children.run(process.execPath, [compiler, '-p', inProject('tsconfig.json'), '--noEmitOnError'], {
        log: 'package-build',
        env: environment,
        cwd: inProject(),
      });
    } catch (error) {
      throw explain(error, {
        what: 'Compiling src/',
        remedy: 'correct the source (`npm run check` lists all errors).',
      });
    }
    removeStale();
    return { dist: hashOfTree(dist, isOutput) };
  },
};

import { cpSync, existsSync, mkdirSync, readFileSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { explain } from '../failures.mjs';
import { Fault } from '../fault.mjs';
import { inProject } from '../paths.mjs';
import { emptyBuildingFolder, hashOfFile, hashOfTree, replaceFolder } from '../state.mjs';

const hiddenLock = () => inProject('node_modules/.package-lock.json');

/** Links by which the project is a package and a command of its own node_modules. */
const links = [
  ['node_modules/pathlab', '..'],
  ['node_modules/.bin/pathlab', '../../kernel-setup/pathlab.mjs'],
];

/** What of package.json decides about packages. */
function wanted() {
  const { dependencies, devDependencies, overrides } = JSON.parse(readFileSync(inProject('package.json'), 'utf8'));
  return { dependencies, devDependencies, overrides };
}

function linkProject() {
  for (const [place, target] of links) {
    const path = inProject(place);
    if (linkTarget(path) === target) continue;
    rmSync(path, { recursive: true, force: true });
    mkdirSync(dirname(path), { recursive: true });
    symlinkSync(target, path);
  }
}

function linkTarget(path) {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

/** Every package that npm noted as installed is still there. */
function allThere() {
  const { packages } = JSON.parse(readFileSync(hiddenLock(), 'utf8'));
  return Object.keys(packages).every((path) => existsSync(inProject(path, 'package.json')));
}

/** npm as a command: the one that runs this, else the one beside this Node, else the one on the PATH. */
export function npmCommand() {
  const beside = join(dirname(process.execPath), '../lib/node_modules/npm/bin/npm-cli.js');
  const script = [process.env.npm_execpath, beside].find((path) => path?.endsWith('npm-cli.js') && existsSync(path));
  return script ? [process.execPath, script] : ['npm'];
}

/** node_modules from the lock file, install scripts off, built beside and put in place whole. */
export const npmPackages = {
  name: 'npm-packages',
  title: 'npm packages',
  diskNeeded: 1.1e9,
  inputs: () => [
    hashOfFile(inProject('package-lock.json')),
    wanted(),
    hashOfTree(inProject('kernel-setup/local-packages')),
    `${process.platform}-${process.arch}`,
  ],
  isIntact: (facts) =>
    hashOfFile(hiddenLock()) === facts.hiddenLock &&
    allThere() &&
    links.every(([p, t]) => linkTarget(inProject(p)) === t),
  describe: () => 'as package-lock.json says',
  async run({ children, environment }, show) {
    const folder = emptyBuildingFolder('npm');
    for (const name of ['package.json', 'package-lock.json', '.npmrc', 'kernel-setup/local-packages']) {
      cpSync(inProject(name), join(folder, name), { recursive: true });
    }
    const [npm, ...script] = npmCommand();
    const options = ['--ignore-scripts', '--include=dev', '--include=optional', '--no-audit', '--no-fund'];
    // npm waits minutes by default before it says that nobody answers.
    const patience = ['--fetch-retries=2', '--fetch-retry-mintimeout=1000', '--fetch-retry-maxtimeout=5000'];
    try {
      await children.run(npm, [...script, 'ci', '--prefix', folder, ...options, ...patience, '--loglevel=http'], {
        log: 'npm-packages',
        cwd: folder,
        env: environment,
        onLine: (line) => show(line.replace(/^npm (http )?(fetch )?/, '').replace(/https?:\/\/[^/ ]+\//, '')),
      });
    } catch (error) {
      if (error.code === 'ENOENT' || /exec: npm: not found/.test(error.output ?? '')) {
        throw new Fault('npm was not found.', 'install Node with npm, then run `npm run setup` again.');
      }
      throw explain(error, { what: 'Installing the npm packages', source: 'the npm registry' });
    }
    const old = replaceFolder(join(folder, 'node_modules'), inProject('node_modules'));
    linkProject();
    await Promise.all([folder, old].filter(Boolean).map((path) => rm(path, { recursive: true, force: true })));
    return { hiddenLock: hashOfFile(hiddenLock()) };
  },
};

import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { explain } from '../failures.mjs';
import { inProject, projectRoot, sitePackages, venv, venvPython } from '../paths.mjs';
import { pipInstall, pipLine } from '../pip.mjs';
import { findPython } from '../python.mjs';
import { hashOfFile } from '../state.mjs';

const requirements = inProject('kernel-setup/python/requirements.txt');

/** Versions of the packages that people meet, as their metadata says. */
function metPackages() {
  const known =
    /^(jupyterlab|papermill|nbconvert|jupytext|openslide_bin|snakemake|tensorflow_cpu|tensorflow)-(.+)\.dist-info$/;
  const found = readdirSync(sitePackages()).map((name) => known.exec(name));
  return found.filter(Boolean).map(([, name, version]) => `${name.replace('_', '-')} ${version}`);
}

/** `.venv` with what people see of Python: JupyterLab, papermill, nbconvert, jupytext, OpenSlide's library, Snakemake. */
export const pythonEnvironment = {
  name: 'python-environment',
  title: 'Python packages',
  diskNeeded: 0.6e9,
  // An environment cannot be moved: its commands hold its absolute path.
  inputs: () => [hashOfFile(requirements), projectRoot],
  isIntact: (facts) =>
    [undefined, '', facts.asked].includes(process.env.PATHLAB_PYTHON) &&
    existsSync(venvPython) &&
    facts.packages.every((name) => existsSync(join(sitePackages() ?? '', name))),
  describe: ({ facts }) => `Python ${facts.python} (${facts.executable}); ${metPackages().join(', ')}`,
  async run({ children, environment }, show) {
    const python = findPython();
    await rm(venv, { recursive: true, force: true });
    const options = { log: 'python-environment', env: environment, onLine: (line) => show(pipLine(line)) };
    try {
      await children.run(python.executable, ['-m', 'venv', venv], options);
      await children.run(venvPython, pipInstall(requirements), options);
    } catch (error) {
      await rm(venv, { recursive: true, force: true });
      throw explain(error, { what: 'Installing the Python packages', source: 'the Python package index' });
    }
    return {
      asked: process.env.PATHLAB_PYTHON,
      python: python.version,
      executable: realpathSync(venvPython),
      packages: readdirSync(sitePackages()),
      id: randomBytes(8).toString('hex'),
    };
  },
};

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { explain } from '../failures.mjs';
import { kernelspecOptions } from '../kernel-options.mjs';
import { inProject, projectRoot, shown, sitePackages, venv } from '../paths.mjs';
import { hashOfFile, hashOfTree, readStamp } from '../state.mjs';

const kernelFile = () => `${venv}/share/jupyter/kernels/pathlab/kernel.json`;

/** The Jupyter kernel and the papermill module, put into the project's own environment. */
export const kernel = {
  name: 'kernel',
  title: 'Jupyter kernel',
  diskNeeded: 0.01e9,
  inputs: () => [
    hashOfFile(inProject('kernel-setup/kernel/install.mjs')),
    hashOfTree(inProject('kernel-setup/python'), (name) => !/\.(txt|in)$|__pycache__/.test(name)),
    readStamp('python-environment')?.facts.id,
    projectRoot,
    kernelspecOptions(),
  ],
  isIntact: (facts) =>
    existsSync(kernelFile()) &&
    readFileSync(kernelFile(), 'utf8') === facts.kernelspec &&
    existsSync(join(sitePackages() ?? '', 'pathlab_papermill')),
  describe: () => shown(dirname(kernelFile())),
  async run() {
    const { installKernelspec } = await import('../../kernel/install.mjs');
    const { installPapermillModule } = await import('../../python/install.mjs');
    try {
      await installPapermillModule({ venv, sitePackages: sitePackages() });
      await installKernelspec({ venv, ...kernelspecOptions() });
    } catch (error) {
      throw explain(error, { what: 'Installing the Jupyter kernel' });
    }
    return { kernelspec: readFileSync(kernelFile(), 'utf8') };
  },
};

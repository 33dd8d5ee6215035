import { existsSync, readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { explain } from '../failures.mjs';
import { inProject, projectRoot, shown, sitePackages, venv } from '../paths.mjs';
import { hashOfFile, hashOfTree, readStamp } from '../state.mjs';

/** V8's heap for a notebook: half of the memory, since tensors live outside of it; 8 GB at most. */
export const heapMegabytes = () => Math.min(8192, Math.floor(totalmem() / 2 ** 30 / 2) * 1024 || 512);

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
    heapMegabytes(),
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
      await installKernelspec({ venv, heapMegabytes: heapMegabytes() });
    } catch (error) {
      throw explain(error, { what: 'Installing the Jupyter kernel' });
    }
    return { kernelspec: readFileSync(kernelFile(), 'utf8') };
  },
};

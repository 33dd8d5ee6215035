import { existsSync, readdirSync, renameSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { explain } from '../failures.mjs';
import { inProject, sitePackages, venvPython } from '../paths.mjs';
import { pipInstall, pipLine } from '../pip.mjs';
import { emptyBuildingFolder, hashOfFile, readStamp } from '../state.mjs';

const requirements = (device) => inProject(`kernel-setup/python/tensorflow-${device}.txt`);

/** The folder of a TensorFlow wheel: headers in `include/`, libraries beside it. */
export const tensorflowFolder = () => join(sitePackages() ?? '', 'tensorflow');

/** The two libraries that the addon needs. */
export const libraryNames =
  process.platform === 'darwin'
    ? ['libtensorflow_cc.2.dylib', 'libtensorflow_framework.2.dylib']
    : ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'];

const librarySizes = () =>
  libraryNames.map((name) => {
    const path = join(tensorflowFolder(), name);
    return existsSync(path) ? statSync(path).size : 0;
  });

/** What a TensorFlow wheel and the NVIDIA wheels that it loads put into site-packages. */
const isTensorflow = (name) => /^(tensorflow|tensorflow_cpu|nvidia)(-|_|$)/.test(name);

/** TensorFlow's runtime: the CPU wheel, or the CUDA wheel and NVIDIA's libraries. */
export const tensorflow = {
  name: 'tensorflow',
  title: 'TensorFlow',
  diskNeeded: ({ device }) => (device === 'gpu' ? 9.5e9 : 2.2e9),
  inputs: ({ device }) => [device, hashOfFile(requirements(device)), readStamp('python-environment')?.facts.id],
  isIntact: (facts) =>
    String(librarySizes()) === String(facts.librarySizes) && existsSync(join(tensorflowFolder(), 'include')),
  describe: ({ facts }) => `${facts.distribution} ${facts.version}, chosen for the ${facts.device.toUpperCase()}`,
  async run({ device, children, environment }, show) {
    const built = emptyBuildingFolder('tensorflow');
    try {
      await children.run(venvPython, pipInstall(requirements(device), '--target', built), {
        log: 'tensorflow',
        env: environment,
        onLine: (line) => show(pipLine(line)),
      });
    } catch (error) {
      throw explain(error, { what: 'Installing TensorFlow', source: 'the Python package index' });
    }
    const site = sitePackages();
    for (const name of readdirSync(site).filter(isTensorflow)) await rm(join(site, name), { recursive: true });
    for (const name of readdirSync(built).filter(isTensorflow)) renameSync(join(built, name), join(site, name));
    await rm(built, { recursive: true });
    const wheel = readdirSync(site).find((name) => /^tensorflow(_cpu)?-.*\.dist-info$/.test(name));
    const [, distribution, version] = /^(\w+)-(.*)\.dist-info$/.exec(wheel);
    return { device, distribution: distribution.replace('_', '-'), version, librarySizes: librarySizes() };
  },
};

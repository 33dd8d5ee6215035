import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { findCompiler } from '../compiler.mjs';
import { explain } from '../failures.mjs';
import { inProject, inState, shown } from '../paths.mjs';
import { emptyBuildingFolder, hashOfFile } from '../state.mjs';

const source = inProject('kernel-setup/slide-library/pathlab_slides.cc');
const built = inState('slide-library', 'libpathlab_slides.so');
const options = ['-std=c++17', '-O3', '-fPIC', '-shared', '-fvisibility=hidden'];

/** The loops over pixels that slides are read with, compiled. */
export const slideLibrary = {
  name: 'slide-library',
  title: 'Slide library',
  diskNeeded: 0.01e9,
  inputs: () => [hashOfFile(source), options],
  isIntact: (facts) => existsSync(built) && hashOfFile(built) === facts.sha256,
  async run({ children, environment }) {
    const folder = emptyBuildingFolder('slide-library');
    const made = join(folder, 'libpathlab_slides.so');
    try {
      await children.run(findCompiler(), [...options, source, '-o', made], { log: 'slide-library', env: environment });
    } catch (error) {
      throw explain(error, { what: 'Compiling the slide library' });
    }
    mkdirSync(dirname(built), { recursive: true });
    renameSync(made, built);
    return { sha256: hashOfFile(built), file: shown(built) };
  },
};

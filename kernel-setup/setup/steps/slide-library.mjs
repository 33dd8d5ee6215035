import { placeCompiled } from '../compiled.mjs';
import { findCompiler } from '../compiler.mjs';
import { inProject, inState, shown } from '../paths.mjs';
import { hashOfFile } from '../state.mjs';

const source = inProject('kernel-setup/native/slide-library/pathlab_slides.cc');
const library = inState('slide-library', 'libpathlab_slides.so');
const options = ['-std=c++17', '-O3', '-fPIC', '-shared', '-fvisibility=hidden'];

/** The loops over pixels that slides are read with, compiled. */
export const slideLibrary = {
  name: 'slide-library',
  title: 'Slide library',
  diskNeeded: 0.01e9,
  inputs: () => [hashOfFile(source), options],
  isIntact: (facts) => hashOfFile(library) === facts.sha256,
  describe: ({ facts }) => `${shown(library)}, sha256 ${facts.sha256.slice(0, 12)}`,
  async run(context) {
    const { children, environment } = context;
    const compile = (built) =>
      children.run(findCompiler(), [...options, source, '-o', built], { log: 'slide-library', env: environment });
    return { sha256: await placeCompiled(slideLibrary, library, context, compile) };
  },
};

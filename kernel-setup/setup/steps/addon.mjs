import { dirname, join, relative } from 'node:path';
import { placeCompiled } from '../compiled.mjs';
import { findCompiler } from '../compiler.mjs';
import { addonFile, inProject } from '../paths.mjs';
import { hashOfFile, hashOfTree, readStamp } from '../state.mjs';
import { libraryNames, tensorflowFolder } from './tensorflow.mjs';

const upstream = inProject('node_modules/@tensorflow/tfjs-node-gpu');
const headers = inProject('node_modules/node-api-headers');
const extension = inProject('kernel-setup/native/addon');

function compilerOptions() {
  const library = tensorflowFolder();
  const macos = process.platform === 'darwin';
  // The libraries are found from the addon's own place, so the project can be moved.
  const origin = macos ? '@loader_path' : '$ORIGIN';
  return [
    ...[
      '-std=c++17',
      '-O2',
      '-fPIC',
      '-fno-access-control',
      '-fvisibility=hidden',
      '-DNAPI_VERSION=8',
      '-Wno-deprecated-declarations',
    ],
    ...(macos ? ['-bundle', '-undefined', 'dynamic_lookup'] : ['-shared']),
    `-I${upstream}`,
    `-I${join(upstream, 'binding')}`,
    `-I${join(headers, 'include')}`,
    `-I${join(library, 'include')}`,
    join(extension, 'pathlab_addon.cc'),
    join(upstream, 'binding/tfjs_backend.cc'),
    ...(macos
      ? libraryNames.map((name) => join(library, name))
      : [`-L${library}`, ...libraryNames.map((name) => `-l:${name}`)]),
    `-Wl,-rpath,${origin}/${relative(dirname(addonFile), library)}`,
  ];
}

/** tfjs-node-gpu's native addon with pathlab's extension, compiled against the installed TensorFlow. */
export const addon = {
  name: 'addon',
  title: 'TensorFlow addon',
  diskNeeded: 0.1e9,
  inputs: () => {
    const wheel = readStamp('tensorflow')?.facts;
    const code = [hashOfTree(join(upstream, 'binding')), hashOfTree(extension, (name) => /\.(cc|h)$/.test(name))];
    const options = compilerOptions().map((option) => option.replace(inProject(), ''));
    // One addon serves the CPU and the CUDA wheel of a version.
    return [wheel?.version, code, hashOfFile(join(headers, 'package.json')), options];
  },
  isIntact: (facts) => hashOfFile(addonFile) === facts.sha256,
  describe: ({ facts, fingerprint }) => `built from ${fingerprint.slice(0, 12)}, sha256 ${facts.sha256.slice(0, 12)}`,
  async run(context) {
    const { children, environment } = context;
    const compile = (built) =>
      children.run(findCompiler(), [...compilerOptions(), '-o', built], { log: 'addon', env: environment });
    return { sha256: await placeCompiled(addon, addonFile, context, compile) };
  },
};

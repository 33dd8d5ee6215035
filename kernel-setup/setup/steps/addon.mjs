import { copyFileSync, existsSync, mkdirSync, renameSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { findCompiler } from '../compiler.mjs';
import { explain } from '../failures.mjs';
import { addonFile, inProject, inState, shown } from '../paths.mjs';
import { emptyBuildingFolder, fingerprintOf, hashOfFile, hashOfTree, readStamp } from '../state.mjs';
import { libraryNames, tensorflowFolder } from './tensorflow.mjs';

const upstream = inProject('node_modules/@tensorflow/tfjs-node-gpu');
const headers = inProject('node_modules/node-api-headers');
const extension = inProject('kernel-setup/addon');

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
  async run({ children, environment, force }) {
    const cached = inState('addon', `${fingerprintOf(addon.inputs())}.node`);
    if (force || !existsSync(cached)) {
      const folder = emptyBuildingFolder('addon');
      const built = join(folder, 'tfjs_binding.node');
      try {
        await children.run(findCompiler(), [...compilerOptions(), '-o', built], { log: 'addon', env: environment });
      } catch (error) {
        throw explain(error, { what: 'Compiling the TensorFlow addon' });
      }
      mkdirSync(dirname(cached), { recursive: true });
      renameSync(built, cached);
    }
    mkdirSync(dirname(addonFile), { recursive: true });
    copyFileSync(cached, `${addonFile}.partial`);
    renameSync(`${addonFile}.partial`, addonFile);
    return { sha256: hashOfFile(addonFile), cached: shown(cached) };
  },
};

import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { findCompiler } from '../compiler.mjs';
import { explain } from '../failures.mjs';
import { inProject, inState, opsDescription, opsFile, shown } from '../paths.mjs';
import {
  emptyBuildingFolder,
  fingerprintOf,
  hashOf,
  hashOfFile,
  hashOfTree,
  readStamp,
  writeWhole,
} from '../state.mjs';
import { libraryNames, tensorflowFolder } from './tensorflow.mjs';

const sources = inProject('kernel-setup/ops');
const macos = process.platform === 'darwin';

/** The file that includes Eigen's headers, which gcc does not compile for the widest instructions of some CPUs. */
const forAnyCpu = 'tensorflow_threads.cc';

/** The instruction sets of this machine, as /proc/cpuinfo lists them; elsewhere the CPU's name stands for them. */
function cpuFlags() {
  if (process.platform !== 'linux') return [cpus()[0]?.model ?? process.arch];
  const listed = /^(?:flags|Features)\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? '';
  return listed.trim().split(/\s+/).sort();
}

/** What the compiler calls itself; what the last build noted if there is none any more, for then nothing can be built. */
function compilerVersion() {
  const asked = process.env.CXX;
  for (const compiler of asked ? [asked] : ['g++', 'c++', 'clang++']) {
    const { status, stdout } = spawnSync(compiler, ['--version'], { encoding: 'utf8' });
    if (status === 0) return stdout.split('\n')[0];
  }
  return readStamp('ops')?.facts.compiler;
}

function compileOptions(file) {
  const native = process.arch === 'x64' ? '-march=native' : '-mcpu=native';
  return [
    ...['-std=c++17', '-fPIC', '-fvisibility=hidden', '-Wno-deprecated-declarations', '-Wno-unknown-pragmas'],
    // Loops marked `omp simd` may sum in another order. -ffast-math may too, everywhere, and loses NaNs.
    ...(file === forAnyCpu
      ? ['-O2']
      : ['-O3', native, '-fopenmp-simd', '-ffp-contract=fast', '-fno-math-errno', '-fno-trapping-math']),
    // As the wheel was compiled.
    ...['-D_GLIBCXX_USE_CXX11_ABI=1', '-DEIGEN_MAX_ALIGN_BYTES=64'],
    `-I${join(tensorflowFolder(), 'include')}`,
  ];
}

function linkOptions() {
  const library = tensorflowFolder();
  const origin = macos ? '@loader_path' : '$ORIGIN';
  return [
    ...(macos ? ['-dynamiclib', ...libraryNames.map((name) => join(library, name))] : ['-shared', `-L${library}`]),
    ...(macos ? [] : libraryNames.map((name) => `-l:${name}`)),
    `-Wl,-rpath,${origin}/${relative(dirname(opsFile), library)}`,
  ];
}

const sourceFiles = () => readdirSync(sources).filter((name) => name.endsWith('.cc'));

/** pathlab's own TensorFlow ops, one library, compiled for this very CPU. */
export const ops = {
  name: 'ops',
  title: 'TensorFlow ops',
  diskNeeded: 0.05e9,
  inputs: () => {
    const options = [...compileOptions(''), ...compileOptions(forAnyCpu), ...linkOptions()];
    return [
      readStamp('tensorflow')?.facts.version,
      hashOfTree(sources, (name) => /\.(cc|h)$/.test(name)),
      options.map((option) => option.replace(inProject(), '')),
      compilerVersion(),
      hashOf(cpuFlags().join(' ')),
    ];
  },
  isIntact: (facts) => hashOfFile(opsFile) === facts.sha256 && hashOfFile(opsDescription) === facts.description,
  async run({ children, environment, force }) {
    const cached = inState('ops', `${fingerprintOf(ops.inputs())}.so`);
    if (force || !existsSync(cached)) {
      const built = await build(children, environment);
      mkdirSync(dirname(cached), { recursive: true });
      renameSync(built, cached);
    }
    mkdirSync(dirname(opsFile), { recursive: true });
    copyFileSync(cached, `${opsFile}.partial`);
    renameSync(`${opsFile}.partial`, opsFile);
    // The runtime refuses a library that was built for another CPU: its instructions would end the process.
    writeWhole(opsDescription, `${JSON.stringify({ cpuFlags: cpuFlags() })}\n`);
    return {
      sha256: hashOfFile(opsFile),
      description: hashOfFile(opsDescription),
      compiler: compilerVersion(),
      cached: shown(cached),
    };
  },
};

async function build(children, environment) {
  const compiler = findCompiler();
  const folder = emptyBuildingFolder('ops');
  const library = join(folder, 'pathlab_ops.so');
  const compile = async (file) => {
    const object = join(folder, `${file}.o`);
    await children.run(compiler, [...compileOptions(file), '-c', join(sources, file), '-o', object], {
      log: `ops-${file}`,
      env: environment,
    });
    return object;
  };
  try {
    // The slow one beside all the others in turn.
    const others = sourceFiles().filter((file) => file !== forAnyCpu);
    const inTurn = async () => {
      const objects = [];
      for (const file of others) objects.push(await compile(file));
      return objects;
    };
    const objects = (await Promise.all([compile(forAnyCpu), inTurn()])).flat();
    await children.run(compiler, [...objects, ...linkOptions(), '-o', library], { log: 'ops', env: environment });
  } catch (error) {
    throw explain(error, { what: 'Compiling the TensorFlow ops' });
  }
  return library;
}

import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { placeCompiled } from '../compiled.mjs';
import { compilerCandidates, findCompiler } from '../compiler.mjs';
import { inProject, opsDescription, opsFile } from '../paths.mjs';
import { hashOf, hashOfFile, hashOfTree, readStamp, writeWhole } from '../state.mjs';
import { libraryNames, tensorflowFolder } from './tensorflow.mjs';

const sources = inProject('kernel-setup/native/ops');
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
  for (const compiler of compilerCandidates()) {
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
  describe: ({ facts }) => `built for this CPU by ${facts.compiler}`,
  async run(context) {
    const sha256 = await placeCompiled(ops, opsFile, context, (built) => build(context, built));
    // The runtime refuses a library that was built for another CPU: its instructions would end the process.
    writeWhole(opsDescription, `${JSON.stringify({ cpuFlags: cpuFlags() })}\n`);
    return { sha256, description: hashOfFile(opsDescription), compiler: compilerVersion() };
  },
};

async function build({ children, environment }, library) {
  const compiler = findCompiler();
  const compile = async (file) => {
    const object = join(dirname(library), `${file}.o`);
    await children.run(compiler, [...compileOptions(file), '-c', join(sources, file), '-o', object], {
      log: `ops-${file}`,
      env: environment,
    });
    return object;
  };
  // The slow one beside all the others in turn.
  const others = sourceFiles().filter((file) => file !== forAnyCpu);
  const oneByOne = async () => {
    const objects = [];
    for (const file of others) objects.push(await compile(file));
    return objects;
  };
  const objects = (await Promise.all([compile(forAnyCpu), oneByOne()])).flat();
  await children.run(compiler, [...objects, ...linkOptions(), '-o', library], { log: 'ops', env: environment });
}

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { chooseDevice, nvidiaDriver } from './device.mjs';
import { Fault } from './fault.mjs';
import { gpuAudit } from './gpu-audit.mjs';
import { lockHolder } from './lock.mjs';
import { childEnvironment, stateOf, steps } from './main.mjs';
import { inProject, projectRoot, venvPython } from './paths.mjs';
import { platformFault, thisMachine } from './platform.mjs';
import { readStamp } from './state.mjs';
import { factsOf, fiveLines, saidOfGpu, selfTest, selfTestCommand } from './steps/self-test.mjs';

const setUpAgain = 'npm run setup';
const states = {
  missing: 'was never finished',
  outdated: 'was made from other versions or sources than the present ones',
  damaged: 'is no longer whole: files are missing or changed',
};

const gigabytes = (bytes) => `${(bytes / 1e9).toFixed(1)} GB`;

/** Runs TensorFlow in a process of its own. */
function tryTensorflow() {
  const [node, args] = selfTestCommand;
  const environment = { ...childEnvironment(), TF_CPP_MIN_LOG_LEVEL: '0' };
  delete environment.TMPDIR;
  const answer = spawnSync(node, args, { encoding: 'utf8', env: environment });
  if (answer.status === 0) return { facts: factsOf(answer.stdout), said: answer.stderr };
  const reason = /\w*Error: .*/.exec(answer.stderr)?.[0] ?? `it ended with ${answer.signal ?? `exit ${answer.status}`}`;
  return { reason, said: answer.stderr };
}

/** The dynamic loader's own words about the NVIDIA driver's library, or undefined if it loads. */
function driverLoadError() {
  if (!existsSync(venvPython)) return nvidiaDriver().reason;
  const load = 'import ctypes, sys\ntry: ctypes.CDLL("libcuda.so.1")\nexcept OSError as error: sys.exit(str(error))';
  const answer = spawnSync(venvPython, ['-I', '-c', load], { encoding: 'utf8' });
  return answer.status === 0 ? undefined : answer.stderr.trim();
}

/** Why TensorFlow uses no GPU, from those who know: the loader, the driver, TensorFlow. */
function reasonsForNoGpu(trial) {
  const hidden = process.env.CUDA_VISIBLE_DEVICES;
  const reasons = [driverLoadError() ?? nvidiaDriver().reason];
  if (hidden === '' || hidden === '-1') reasons.push(`CUDA_VISIBLE_DEVICES is "${hidden}", which hides every GPU`);
  if (readStamp('tensorflow')?.facts.device === 'cpu')
    reasons.push('the installed TensorFlow wheel is for the CPU only');
  const said = saidOfGpu(trial.said);
  if (said) reasons.push(`TensorFlow says: ${said}`);
  return reasons.filter(Boolean);
}

/** Every finding: `{name, text}` with a `remedy` if it is a fault. */
async function examine(asked) {
  const findings = [];
  const note = (name, text, remedy) => findings.push({ name, text, remedy });

  const platform = platformFault(thisMachine());
  note(
    'platform',
    platform ?? `${process.platform}-${process.arch}`,
    platform && 'use Linux with glibc or macOS on Apple silicon',
  );

  let device = 'gpu';
  try {
    device = chooseDevice(undefined);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    note('device', error.message, error.remedy);
  }
  const context = { device };
  for (const step of steps.filter((step) => step !== selfTest)) {
    const state = stateOf(step, context);
    if (state === 'done') note(step.title, step.describe(readStamp(step.name)));
    else note(step.title, states[state], setUpAgain);
  }
  if (existsSync(venvPython) && spawnSync(venvPython, ['-I', '-c', '']).status !== 0) {
    note('Python', `${realpathSync(venvPython)} does not run`, `${setUpAgain} -- --force`);
  }

  const holder = lockHolder();
  note(
    'set-up lock',
    holder ? `held by process ${holder}, which is setting up` : 'free',
    holder && 'wait until it is done',
  );

  const trial = tryTensorflow();
  if (!trial.facts) note('TensorFlow runs', `no: ${trial.reason}`, `${setUpAgain} -- --force`);
  if (asked === 'gpu' && !trial.facts?.usesGpu) {
    const remedy = nvidiaDriver().found
      ? `${setUpAgain} -- --device gpu`
      : 'install the NVIDIA driver (in a container, start it with its GPUs), then npm run setup -- --device gpu';
    note('GPU', `this machine has no GPU that TensorFlow can use: ${reasonsForNoGpu(trial).join('; ')}`, remedy);
  } else if (device === 'gpu' && !trial.facts?.usesGpu) {
    note(
      'GPU',
      `set up for a GPU, but not used: ${reasonsForNoGpu(trial).join('; ')}`,
      `${setUpAgain} -- --device cpu`,
    );
  }

  const { bavail, bsize } = await statfs(projectRoot);
  const free = bavail * bsize;
  note('disk', `${gigabytes(free)} free`, free < 1e9 && 'free some space: runs need room for checkpoints');
  note('machine', `${availableParallelism()} cores, ${gigabytes(totalmem())} of memory`);
  return { findings, trial };
}

/** The five lines of the self-test, also where it does not run. */
function headline({ facts, reason }) {
  if (facts) return fiveLines(facts);
  const missing = `unknown, since TensorFlow does not run: ${reason}`;
  const tfjsFile = inProject('node_modules/@tensorflow/tfjs-core/package.json');
  const tfjs = existsSync(tfjsFile) ? JSON.parse(readFileSync(tfjsFile, 'utf8')).version : 'not installed';
  const node = `${process.versions.node} (${process.platform}-${process.arch})`;
  return fiveLines({ node, tfjs, tensorflow: missing, device: 'unknown', features: [] });
}

/**
 * `pathlab doctor [--device cpu|gpu]`: what this installation is, what is wrong with it and what to do about it;
 * `--gpu-audit` instead: see `gpuAudit`.
 *
 * @returns {Promise<number>} 0 if all is well, 1 otherwise
 */
export async function doctor(args) {
  const { values } = parseArgs({ args, options: { device: { type: 'string' }, 'gpu-audit': { type: 'boolean' } } });
  if (values['gpu-audit']) return gpuAudit();
  if (!['cpu', 'gpu', undefined].includes(values.device)) {
    console.error(`pathlab doctor: --device takes cpu or gpu, not ${values.device}`);
    return 1;
  }
  const { findings, trial } = await examine(values.device);
  console.log(headline(trial).join('\n'));
  console.log('');
  for (const { name, text, remedy } of findings) {
    console.log(`${remedy ? 'FAULT' : 'ok   '}  ${name.padEnd(18)} ${text}`);
    if (remedy) console.log(`       ${''.padEnd(18)} Remedy: ${remedy}`);
  }
  const faults = findings.filter(({ remedy }) => remedy).length;
  console.log(faults === 0 ? '\nAll is well.' : `\n${faults} ${faults === 1 ? 'fault' : 'faults'}.`);
  return faults === 0 ? 0 : 1;
}

import { mkdirSync, rmSync } from 'node:fs';
import { Children } from './children.mjs';
import { findCompiler } from './compiler.mjs';
import { chooseDevice } from './device.mjs';
import { explain } from './failures.mjs';
import { rememberKernelOptions } from './kernel-options.mjs';
import { takeLock } from './lock.mjs';
import { inState } from './paths.mjs';
import { checkDisk, checkPlatform } from './platform.mjs';
import { Progress } from './progress.mjs';
import { findPython } from './python.mjs';
import { fingerprintOf, readStamp, removeStamp, writeStamp } from './state.mjs';
import { addon } from './steps/addon.mjs';
import { kernel } from './steps/kernel.mjs';
import { npmPackages } from './steps/npm-packages.mjs';
import { ops } from './steps/ops.mjs';
import { packageBuild } from './steps/package-build.mjs';
import { pythonEnvironment } from './steps/python-environment.mjs';
import { sampleSlide } from './steps/sample-slide.mjs';
import { fiveLines, selfTest } from './steps/self-test.mjs';
import { slideLibrary } from './steps/slide-library.mjs';
import { tensorflow } from './steps/tensorflow.mjs';

/** Two lines of steps that need nothing of each other, and then what needs both. */
const javascriptSide = [npmPackages];
const pythonSide = [pythonEnvironment, tensorflow, kernel, sampleSlide];
const both = [addon, ops, slideLibrary, selfTest, packageBuild];
export const steps = [...javascriptSide, ...pythonSide, ...both];

/** Whether a step's result is there (`done`), was never finished, is made from other inputs, or is no longer whole. */
export function stateOf(step, context) {
  const stamp = readStamp(step.name);
  if (!stamp) return 'missing';
  if (stamp.fingerprint !== fingerprintOf(step.inputs(context))) return 'outdated';
  return step.isIntact(stamp.facts) ? 'done' : 'damaged';
}

const isDone = (step, context) => stateOf(step, context) === 'done';

/**
 * Makes this machine ready to run pathlab, or does nothing if it is. Finished steps are kept when a later one fails or
 * when set-up is killed; the next run goes on from there.
 *
 * @param {{device?: 'cpu' | 'gpu', force?: boolean, quiet?: boolean, kernel?: Record<string, string>}} options `quiet`
 *   leaves out the line that says that there was nothing to do; `kernel` are options of the kernelspec
 * @throws Fault
 */
export async function setUp({ device: asked, force = false, quiet = false, kernel: kernelOptions = {} } = {}) {
  const started = performance.now();
  const progress = new Progress();
  const lock = await takeLock((pid) => progress.say(`set-up: waiting for process ${pid}, which is setting up too`));
  const children = new Children(lock);
  const ignoreSignals = endOnSignals(children, lock);
  const building = inState('building');
  try {
    checkPlatform((line) => quiet || progress.say(line));
    const context = { device: chooseDevice(asked), force, children, environment: childEnvironment() };
    rememberKernelOptions(kernelOptions);
    const missing = force ? steps : steps.filter((step) => !isDone(step, context));
    const elapsed = () => `${((performance.now() - started) / 1000).toFixed(1)} s`;
    if (missing.length === 0) {
      if (!quiet) progress.say(`set-up: up to date (${elapsed()})`);
      return;
    }
    // What a killed run left, and the logs of the last one.
    for (const folder of [building, inState('logs')]) rmSync(folder, { recursive: true, force: true });
    mkdirSync(context.environment.TMPDIR, { recursive: true });
    await checkGround(missing, context);
    await runAll(context, progress);
    progress.say(fiveLines(readStamp(selfTest.name).facts).join('\n'));
    progress.say(`set-up: done (${elapsed()})`);
  } finally {
    rmSync(building, { recursive: true, force: true });
    ignoreSignals();
    lock.release();
  }
}

/** Finds what is wrong with the machine before anything is downloaded. */
async function checkGround(missing, context) {
  if (missing.includes(pythonEnvironment)) findPython();
  if ([addon, ops, slideLibrary].some((step) => missing.includes(step))) findCompiler();
  const sizes = missing.map((step) =>
    typeof step.diskNeeded === 'function' ? step.diskNeeded(context) : step.diskNeeded,
  );
  await checkDisk(sizes.reduce((sum, size) => sum + size, 0));
}

async function runAll(context, progress) {
  const inOrder = async (list) => {
    for (const step of list) await ensure(step, context, progress);
  };
  const sides = [javascriptSide, pythonSide].map((list) =>
    inOrder(list).catch((error) => {
      context.children.stop();
      throw error;
    }),
  );
  let firstFault;
  await Promise.all(
    sides.map((side) =>
      side.catch((error) => {
        // The side that was stopped fails too; the reason is what stopped it.
        firstFault ??= error;
      }),
    ),
  );
  if (firstFault) throw firstFault;
  await inOrder(both);
}

async function ensure(step, context, progress) {
  if (!context.force && isDone(step, context)) return;
  const fingerprint = fingerprintOf(step.inputs(context));
  removeStamp(step.name);
  try {
    const facts = await progress.during(step.title, (show) => step.run({ ...context, fingerprint }, show));
    writeStamp(step.name, { fingerprint, facts });
  } catch (error) {
    throw explain(error, { what: step.title });
  }
}

/** The environment for package managers and compilers: the user's, less what would send their work elsewhere. */
export function childEnvironment() {
  const environment = { ...process.env };
  for (const name of ['PYTHONHOME', 'PYTHONPATH', 'PIP_TARGET', 'PIP_PREFIX', 'PIP_USER', 'NODE_ENV']) {
    delete environment[name];
  }
  // In the project, since /tmp is often small, and removed with the rest of what is being built.
  return { ...environment, PYTHONNOUSERSITE: '1', TMPDIR: inState('building', 'tmp') };
}

/** On a signal ends the children, gives the lock back and exits as the shell expects. Returns how to undo this. */
function endOnSignals(children, lock) {
  const exits = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };
  const handlers = Object.entries(exits).map(([signal, code]) => {
    const handler = () => {
      children.stop();
      lock.release();
      console.error(`\nset-up: stopped by ${signal}; run it again and it goes on from here`);
      process.exit(code);
    };
    process.once(signal, handler);
    return [signal, handler];
  });
  return () => {
    for (const [signal, handler] of handlers) process.off(signal, handler);
  };
}

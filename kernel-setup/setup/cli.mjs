import { parseArgs } from 'node:util';
import { installUserKernelspec } from '../kernel/install.mjs';
import { explain } from './failures.mjs';
import { Fault } from './fault.mjs';
import { askedKernelOptions, kernelOptions, kernelOptionsHelp, kernelspecOptions } from './kernel-options.mjs';
import { setUp } from './main.mjs';
import { projectRoot } from './paths.mjs';

/** Options of set-up, as every command that sets up takes them. */
const setUpOptions = {
  device: { type: 'string' },
  force: { type: 'boolean' },
  quiet: { type: 'boolean' },
};

/**
 * Sets up, and turns faults into words.
 *
 * @returns {Promise<boolean>} whether it ended well
 */
export async function trySetUp(options) {
  try {
    await setUp(options);
    return true;
  } catch (error) {
    const fault = explain(error, { what: 'Set-up' });
    if (!(fault instanceof Fault)) throw error;
    console.error(String(fault));
    return false;
  }
}

export async function main(args) {
  let options;
  let kernel;
  try {
    options = parseArgs({ args, options: { ...setUpOptions, ...kernelOptions, user: { type: 'boolean' } } }).values;
    kernel = askedKernelOptions(options);
    if (!['cpu', 'gpu', undefined].includes(options.device))
      throw new Error(`--device takes cpu or gpu, not ${options.device}`);
  } catch (error) {
    console.error(
      `set-up: ${error.message}\n  Remedy: npm run setup -- [--device cpu|gpu] [--force] [--quiet] [--user]\n    ${kernelOptionsHelp}`,
    );
    return 1;
  }
  if (!(await trySetUp({ ...options, kernel }))) return 1;
  if (options.user) {
    const file = installUserKernelspec({ projectRoot, ...kernelspecOptions() });
    console.log(`set-up: every Jupyter of this user knows the kernel by ${file}`);
  }
  return 0;
}

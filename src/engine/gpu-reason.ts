import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';

/** What TensorFlow says about GPUs while it loads, heard from a process whose stderr can be read. */
export function reasonForNoGpu(): string {
  if (process.env.PATHLAB_DEVICE === 'cpu') return 'PATHLAB_DEVICE is cpu';
  if (process.env.CUDA_VISIBLE_DEVICES === '-1' || process.env.CUDA_VISIBLE_DEVICES === '') {
    return `CUDA_VISIBLE_DEVICES is "${process.env.CUDA_VISIBLE_DEVICES}", which hides every GPU`;
  }
  const runtime = createRequire(import.meta.url).resolve('@tensorflow/tfjs-node-gpu');
  const load = `const util = require('util');
    util.isNullOrUndefined ??= (value) => value == null; util.isArray ??= Array.isArray;
    require(${JSON.stringify(runtime)});`;
  const child = spawnSync(process.execPath, ['-e', load], {
    encoding: 'utf8',
    env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '0' },
  });
  const said = child.stderr
    .split('\n')
    .filter((line) => /cuda|gpu|cudnn/i.test(line))
    .map((line) => line.replace(/^.*?\.cc:\d+\]\s*/, '').trim());
  if (said.length > 0) return [...new Set(said)].join(' ');
  return 'the installed TensorFlow is built without CUDA; `npm run setup -- --device gpu` installs the one with it';
}

/** The error of whoever asked for a GPU where TensorFlow uses none. */
export function gpuMissing(): Error {
  return new Error(`a GPU was requested, but TensorFlow runs on the CPU: ${reasonForNoGpu()}`);
}

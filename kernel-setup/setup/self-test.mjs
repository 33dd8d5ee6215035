// Run in a process of its own: loads TensorFlow, runs one op on its device, and writes what it found as one line of JSON.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, cpus } from 'node:os';
import { inProject, opsFile } from './paths.mjs';

const require = createRequire(inProject('package.json'));

/** Instruction sets that decide which kernels TensorFlow runs. */
function cpuFeatures() {
  if (process.platform !== 'linux') return process.arch === 'arm64' ? ['neon'] : [];
  const info = readFileSync('/proc/cpuinfo', 'utf8');
  const flags = /^(?:flags|Features)\s*:(.*)$/m.exec(info)?.[1].trim().split(/\s+/) ?? [];
  const notable =
    /^(sse4_2|avx2?|fma|f16c|avx512(f|bw|vl|_vnni|_bf16|_fp16)|amx_(tile|bf16|int8)|asimd(dp)?|bf16|sve2?)$/;
  return flags.filter((flag) => notable.test(flag));
}

// tfjs-node 4.22 calls these functions of `util`, which Node 23 removed.
const util = require('node:util');
util.isNullOrUndefined ??= (value) => value === null || value === undefined;
util.isArray ??= Array.isArray;
const tf = require('@tensorflow/tfjs-node-gpu');

const a = tf.tensor2d([1, 2, 3, 4], [2, 2]);
const product = String(await tf.matMul(a, a).data());
if (product !== '7,10,15,22') throw new Error(`TensorFlow computed a wrong matrix product: ${product}`);

tf.backend().binding.loadLibrary(opsFile);

/** The driver's names for the GPUs; TensorFlow's C interface does not tell them. */
function gpuNames() {
  const answer = spawnSync('nvidia-smi', ['--query-gpu=name', '--format=csv,noheader'], { encoding: 'utf8' });
  return answer.stdout?.trim().replaceAll('\n', '; ') || gpus.map(({ name }) => name).join('; ');
}

const { binding } = tf.backend();
const gpus = binding.listDevices().filter((device) => device.type === 'GPU');
const cpu = `${cpus()[0]?.model.trim() || process.arch}, ${availableParallelism()} cores`;
console.log(
  JSON.stringify({
    node: `${process.versions.node} (${process.platform}-${process.arch})`,
    tfjs: tf.version['tfjs-core'],
    tensorflow: binding.TF_Version,
    device: gpus.length > 0 ? `GPU: ${gpuNames()}` : `CPU: ${cpu}`,
    usesGpu: gpus.length > 0,
    features: cpuFeatures(),
  }),
);

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { hasCustomOps } from './custom-ops.js';
import { binding, tf } from './runtime.js';

/** What the numbers of a run were computed on; part of its provenance. */
export interface DeviceDescription {
  type: 'cpu' | 'gpu';
  /** Model name of the CPU or GPU. */
  name: string;
  /** Thread pools of TensorFlow: sums are split over them, so they are part of a result's bits. */
  threads: { intraOp: number; interOp: number };
  cpu: { model: string; cores: number; features: string[] };
  tensorflow: string;
  tfjs: string;
  /** Whether pathlab's own TensorFlow ops compute; they sum in an order of their own. */
  customOps: boolean;
}

/** Instruction sets that decide which of oneDNN's and Eigen's kernels run, as /proc/cpuinfo calls them. */
const notableFeatures = ['avx2', 'fma', 'avx512f', 'avx512_vnni', 'avx512_bf16', 'avx512_fp16', 'amx_bf16', 'amx_tile'];

/** Loads TensorFlow if need be and says what it runs on. */
export function describeDevice(): DeviceDescription {
  const native = binding();
  const type = native.isUsingGpuDevice() ? 'gpu' : 'cpu';
  const cpu = describeCpu();
  return {
    type,
    name: type === 'gpu' ? gpuName() : cpu.model,
    threads: {
      intraOp: Number(process.env.TF_NUM_INTRAOP_THREADS),
      interOp: Number(process.env.TF_NUM_INTEROP_THREADS),
    },
    cpu,
    tensorflow: native.TF_Version,
    tfjs: tf.version['tfjs-core'],
    customOps: hasCustomOps(),
  };
}

function describeCpu(): DeviceDescription['cpu'] {
  const info = existsSync('/proc/cpuinfo') ? readFileSync('/proc/cpuinfo', 'utf8') : '';
  const flags = new Set(/^flags\s*:(.*)$/m.exec(info)?.[1]?.trim().split(/\s+/));
  return {
    model: cpus()[0]?.model.trim() || process.arch,
    cores: availableParallelism(),
    features: notableFeatures.filter((feature) => flags.has(feature)),
  };
}

/** The driver's own name for the first GPU that TensorFlow can see. */
function gpuName(): string {
  const visible = process.env.CUDA_VISIBLE_DEVICES?.split(',')[0];
  const query = spawnSync(
    'nvidia-smi',
    ['--query-gpu=name', '--format=csv,noheader', ...(visible ? [`--id=${visible}`] : [])],
    { encoding: 'utf8' },
  );
  return query.stdout?.trim().split('\n')[0] || 'GPU of unknown name (nvidia-smi did not answer)';
}

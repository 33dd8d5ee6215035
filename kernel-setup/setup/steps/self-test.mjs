import { cpus } from 'node:os';
import { ChildFailure } from '../children.mjs';
import { Fault } from '../fault.mjs';
import { inProject } from '../paths.mjs';
import { hashOfFile, readStamp } from '../state.mjs';

const program = inProject('kernel-setup/setup/self-test.mjs');

/** The five lines that say what computes here. */
export const fiveLines = (facts) => [
  `Node          ${facts.node}`,
  `tfjs          ${facts.tfjs}`,
  `TensorFlow    ${facts.tensorflow}`,
  `Device        ${facts.device}`,
  `CPU features  ${facts.features.join(' ') || 'none of note'}`,
];

/** What TensorFlow said of CUDA and GPUs while it loaded, without its line prefixes. */
export function saidOfGpu(output) {
  const lines = output.split('\n').filter((line) => /cuda|cudnn|gpu|libnv/i.test(line) && !line.startsWith('{'));
  return [...new Set(lines.map((line) => line.replace(/^.*?\.cc:\d+\]\s*/, '').trim()))].join(' ');
}

export const selfTestCommand = [process.execPath, [program]];

export const factsOf = (output) => JSON.parse(output.split('\n').findLast((line) => line.startsWith('{')));

/** Runs an op on TensorFlow in a process of its own. */
export const selfTest = {
  name: 'self-test',
  title: 'Self-test',
  diskNeeded: 0,
  inputs: ({ device }) => [
    hashOfFile(program),
    process.version,
    cpus()[0]?.model,
    device,
    readStamp('tensorflow')?.facts,
    readStamp('addon')?.facts.sha256,
    readStamp('ops')?.facts.sha256,
  ],
  isIntact: () => true,
  async run({ device, children, environment }) {
    let output;
    try {
      output = await children.run(...selfTestCommand, {
        log: 'self-test',
        env: { ...environment, TF_CPP_MIN_LOG_LEVEL: '0' },
      });
    } catch (error) {
      if (!(error instanceof ChildFailure)) throw error;
      const said = /\w*Error: .*/.exec(error.output)?.[0] ?? error.message;
      throw new Fault(
        `TensorFlow does not run here: ${said}.`,
        'run `npx --no-install pathlab doctor`; `npm run setup -- --force` reinstalls everything.',
        error.log,
      );
    }
    const facts = factsOf(output);
    if (device === 'gpu' && !facts.usesGpu) {
      throw new Fault(
        `TensorFlow sees no GPU: ${saidOfGpu(output) || 'it gave no reason'}`,
        'update the NVIDIA driver to one for CUDA 12.5 or later, or run `npm run setup -- --device cpu`.',
      );
    }
    return facts;
  },
};

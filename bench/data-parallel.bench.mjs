// A SimCLR step of a ResNet-50 by one process with all cores and by two that share them, in pathlab and in PyTorch
// (DistributedDataParallel over gloo). Every way to run it in PyTorch is timed, the fastest for each number of processes then
// runs in turns with pathlab's. The views are there already, and convolutions have their usual forms: processes do not measure
// them. pathlab's batch norm sees the rows of both processes; PyTorch has none that does on CPUs.
import { availableParallelism, cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { peerPython } from './peer-environment.mjs';
import { measuredPrecisions } from './precisions.mjs';
import { ProcessGroup, threadsOfEach } from './process-group.mjs';
import { report } from './report.mjs';
import { median } from './worker.mjs';

const quick = process.argv.includes('--quick');
const survey = { warmup: quick ? 1 : 2, steps: quick ? 1 : 3 };
const plan = { rounds: quick ? 2 : 6, steps: quick ? 1 : 3 };
const counts = [1, 2];
const work = {
  ...{ depth: 50, ...(quick ? { batch: 4, size: 96 } : { batch: 16, size: 224 }), hiddenSize: 2048, outputSize: 128 },
  ...{ temperature: 0.1, learningRate: 0.01 },
};
const variants = ['eager', 'compile'].map((mode) => ({ mode, format: 'channels_last' }));

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const python = peerPython('loader');
const nameOf = ({ mode, format }) => `PyTorch ${mode}, ${format}`;

const startOurs = (precision, count) =>
  ProcessGroup.start(
    `pathlab ${precision}`,
    [process.execPath, here('data-parallel/ours.mjs'), JSON.stringify({ ...work, precision })],
    count,
  );
const startPeer = (precision, count, variant) =>
  ProcessGroup.start(
    `${nameOf(variant)}, ${precision}`,
    [
      ...[python, here('peers/torch_data_parallel.py')],
      JSON.stringify({ ...work, ...variant, precision, threads: threadsOfEach(count) }),
    ],
    count,
    { GLOO_SOCKET_IFNAME: 'lo' },
  );

/** The ms of each step, for all processes have the step that the last one has; and what the processes said. */
async function timesOf(group, asked) {
  const answers = await group.run(asked);
  const times = answers[0].times.map((_, step) => Math.max(...answers.map(({ times }) => times[step])));
  return { times, answers };
}

async function surveyed(precision, count) {
  const found = [];
  for (const variant of variants) {
    const group = await startPeer(precision, count, variant);
    await group.run({ steps: survey.warmup });
    const ms = median((await timesOf(group, { steps: survey.steps })).times);
    await group.end();
    console.error(`${precision}, ${count} processes, ${nameOf(variant)}: ${ms.toFixed(0)} ms`);
    found.push({ variant, ms });
  }
  return found.reduce((one, other) => (other.ms < one.ms ? other : one)).variant;
}

const rows = [];
const ratios = {};
const versions = {};
for (const precision of quick ? ['float32'] : measuredPrecisions()) {
  const sides = [];
  for (const count of counts) {
    const variant = await surveyed(precision, count);
    sides.push({ side: 'pathlab', count, group: await startOurs(precision, count) });
    sides.push({ side: nameOf(variant), count, group: await startPeer(precision, count, variant) });
  }
  for (const side of sides) {
    side.times = [];
    await side.group.run({ steps: survey.warmup });
  }
  for (let round = 0; round < plan.rounds; round++) {
    for (const side of sides) {
      const { times, answers } = await timesOf(side.group, { steps: plan.steps });
      side.times.push(...times);
      side.answers = answers;
    }
  }
  if (new Set(sides.map(({ answers }) => answers[0].weights)).size > 1) {
    throw new Error(`the networks differ: ${sides.map(({ answers }) => answers[0].weights).join(', ')} weights`);
  }
  for (const { group } of sides) await group.end();

  const medianOf = (ours, count) =>
    median(sides.find((one) => one.count === count && (one.side === 'pathlab') === ours).times);
  const scaling = (ours) => medianOf(ours, 1) / medianOf(ours, 2);
  for (const { side, count, times, answers } of sides) {
    const [{ summedBytes, gatheredBytes, collectives, version }] = answers;
    const scaled = scaling(side === 'pathlab');
    versions[side === 'pathlab' ? 'pathlab' : 'pytorch'] = version;
    rows.push({
      ...{ precision, side, processes: count, ms: median(times), scaling: count === 1 ? 1 : scaled },
      ...{ shown: count === 1 ? '' : scaled.toFixed(2), peakMiB: Math.max(...answers.map(({ peakMiB }) => peakMiB)) },
      ...{ summedBytes, gatheredBytes, collectives, times },
    });
  }
  ratios[precision] = scaling(true) / scaling(false);
}

report('data-parallel', {
  work:
    `SimCLR step, ResNet-${work.depth}, ${work.batch} images of ${work.size} px in all, one process with ` +
    `${threadsOfEach(1)} threads and two with ${threadsOfEach(2)} each; the ratio is that of the scalings`,
  machine: { cpu: cpus()[0].model.trim(), threads: availableParallelism() },
  versions,
  columns: {
    ...{ precision: 'precision', side: 'side', processes: 'processes', ms: 'median step, ms' },
    ...{ shown: 'speed of two over one', peakMiB: 'peak memory of one, MiB' },
  },
  rows,
  ratios,
  quick,
});

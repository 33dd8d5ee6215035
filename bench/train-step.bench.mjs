// A ResNet-50 training step (SGD with momentum, batch norm's running statistics, cross entropy) in pathlab and in
// PyTorch. Every way to run it in PyTorch is timed; the fastest of each precision then runs in turns with pathlab, so
// that both see the same machine, and the ratio is that of their medians.
import { availableParallelism, cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { peerPython } from './peer-environment.mjs';
import { report } from './report.mjs';
import { median, Worker } from './worker.mjs';

const batch = 16;
const size = 224;
const classes = 20;
const threads = availableParallelism();
const quick = process.argv.includes('--quick');
const survey = { warmup: 2, steps: quick ? 2 : 5 };
const duel = { rounds: quick ? 2 : 6, steps: quick ? 2 : 4 };

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const python = peerPython('torch');
const work = [batch, size, classes].map(String);

const ours = (precision) =>
  new Worker(`pathlab ${precision}`, [process.execPath, here('train-step/ours.mjs'), precision, ...work]);
const torch = (precision, [format, mode]) =>
  new Worker(`PyTorch ${precision} ${format} ${mode}`, [
    ...[python, here('peers/torch_resnet50.py'), precision, format, mode, String(threads)],
    ...work,
  ]);
const variants = ['channels_last', 'nchw'].flatMap((format) => ['eager', 'compile'].map((mode) => [format, mode]));

const rows = [];
const ratios = {};
const versions = {};
for (const precision of ['float32', 'bfloat16']) {
  const surveyed = [];
  for (const variant of variants) {
    const worker = torch(precision, variant);
    const [first] = (await worker.run(survey.warmup)).times;
    const { times, peakMiB, version } = await worker.run(survey.steps);
    await worker.end();
    versions.pytorch = version;
    surveyed.push({ variant, ms: median(times), peakMiB, firstStepMs: first });
    console.error(`PyTorch ${precision} ${variant.join(' ')}: ${median(times).toFixed(0)} ms`);
  }
  const best = surveyed.reduce((one, other) => (other.ms < one.ms ? other : one));

  const [mine, peer] = [ours(precision), torch(precision, best.variant)];
  const [firstStepMs] = (await mine.run(survey.warmup)).times;
  await peer.run(survey.warmup);
  const all = { mine: [], peer: [] };
  let last;
  for (let round = 0; round < duel.rounds; round++) {
    last = { mine: await mine.run(duel.steps), peer: await peer.run(duel.steps) };
    all.mine.push(...last.mine.times);
    all.peer.push(...last.peer.times);
  }
  await Promise.all([mine.end(), peer.end()]);
  versions.pathlab = last.mine.version;
  ratios[precision] = median(all.peer) / median(all.mine);

  const row = (side, ms, peakMiB, firstStepMs, times) => ({ precision, side, ms, peakMiB, firstStepMs, times });
  rows.push(row('pathlab, compiled', median(all.mine), last.mine.peakMiB, firstStepMs, all.mine));
  rows.push(
    row(`PyTorch ${best.variant.join(' ')}, in turns`, median(all.peer), last.peer.peakMiB, best.firstStepMs, all.peer),
  );
  for (const { variant, ms, peakMiB, firstStepMs } of surveyed) {
    rows.push(row(`PyTorch ${variant.join(' ')}`, ms, peakMiB, firstStepMs));
  }
}

report('train-step', {
  work: `ResNet-50 training step, batch ${batch}, ${size} px, SGD with momentum`,
  machine: { cpu: cpus()[0].model.trim(), threads },
  versions,
  columns: {
    precision: 'precision',
    side: 'side',
    ms: 'median step, ms',
    peakMiB: 'peak memory, MiB',
    firstStepMs: 'first step, ms',
  },
  rows,
  ratios,
  quick,
});

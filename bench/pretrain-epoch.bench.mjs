// SimCLR in whole steps of a streaming epoch: shards of 512 px JPEGs on disk, read, shuffled and decoded, two views of each
// (random resized crop, flips, color jitter, grayscale, blur), backbone, projector, NT-Xent, SGD; in pathlab and in PyTorch
// with webdataset and torchvision. PyTorch's ways to make the views and to run the step are timed one after the other; the
// fastest with two workers then runs in turns with pathlab, so that both see the same machine.
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { selfSupervisedViews } from '../dist/augment/index.js';
import { benchShards } from './loader/shards.mjs';
import { peerPython } from './peer-environment.mjs';
import { report } from './report.mjs';
import { median, Worker } from './worker.mjs';

const threads = availableParallelism();
const workers = 2;
const quick = process.argv.includes('--quick');
const survey = { steps: quick ? 2 : 4 };
const plan = { rounds: quick ? 2 : 5, steps: quick ? 3 : 6 };

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const python = peerPython('loader');
const { folder } = await benchShards();

/** The paper's views; at 96 px the blur's kernel is in proportion. */
const recipe = (size, kernelSize) => {
  const views = selfSupervisedViews(size);
  return { ...views, blur: { ...views.blur, kernelSize } };
};
const shared = { folder, outputs: 128, temperature: 0.5, rate: 0.01 };
const configurations = [
  { name: 'ResNet-18, 96 px', ...shared, depth: 18, hidden: 512, batch: 64, recipe: recipe(96, 9) },
  { name: 'ResNet-50, 224 px', ...shared, depth: 50, hidden: 2048, batch: 16, recipe: recipe(224, 23) },
];

/** Without instructions for it, bfloat16 is computed by conversions, and is several times slower than float32 on both sides. */
const hasBfloat16 = /\b(amx_bf16|avx512_bf16)\b/.test(readFileSync('/proc/cpuinfo', 'utf8'));
if (!hasBfloat16) console.error('bfloat16 is skipped: this CPU has no instructions for it');
const precisions = [hasBfloat16 ? 'bfloat16' : 'float32'];

const pipelines = ['torchvision', 'pillow'].flatMap((decoder) =>
  ['uint8', 'float32'].map((kind) => `${decoder}, ${kind}`),
);
pipelines.push('pillow, pillow');
const stepVariants = [
  { mode: 'eager', format: 'channels_last', threads },
  { mode: 'compile', format: 'channels_last', threads },
  { mode: 'compile', format: 'nchw', threads },
];

const startOurs = ({ name, ...work }, precision) =>
  new Worker(`pathlab, ${name}`, [
    process.execPath,
    here('pretrain-epoch/ours.mjs'),
    JSON.stringify({ ...work, precision }),
  ]);
const startPeer = ({ name, ...work }, variant) =>
  new Worker(`PyTorch, ${name}`, [python, here('peers/torch_simclr.py'), JSON.stringify({ ...work, ...variant })]);
const rate = ({ batch }, times) => (1000 * batch * times.length) / times.reduce((sum, ms) => sum + ms, 0);
const nameOf = ({ mode, format, pipeline, workers, threads }) =>
  `PyTorch ${mode}, ${format}, views by ${pipeline}, ${workers} workers, ${threads} threads`;
const best = (surveyed) => surveyed.reduce((one, other) => (other.imagesPerSecond > one.imagesPerSecond ? other : one));

const versions = {};
const rows = [];
const ratios = {};

async function trial(configuration, variant) {
  const worker = startPeer(configuration, variant);
  const { times, peakMiB, version } = await worker.run(survey.steps);
  await worker.end();
  versions.peer = version;
  const imagesPerSecond = rate(configuration, times);
  console.error(
    `${configuration.name}, ${variant.precision}, ${nameOf(variant)}: ${imagesPerSecond.toFixed(1)} images/s`,
  );
  return { variant, imagesPerSecond, peakMiB };
}

/** Every variant's rate; the views' first, without a step, and then the step's with the fastest views. */
async function surveyPeer(configuration, precision) {
  const views = [];
  for (const pipeline of pipelines) {
    views.push(
      await trial(configuration, { mode: 'none', format: 'channels_last', precision, pipeline, workers, threads }),
    );
  }
  const { pipeline } = best(views).variant;
  const steps = [];
  for (const variant of stepVariants)
    steps.push(await trial(configuration, { ...variant, precision, pipeline, workers }));
  steps.push(await trial(configuration, { ...best(steps).variant, threads: Math.max(1, threads - 1) }));
  const chosen = best(steps);
  const others = [];
  for (const fewer of [0, 1]) others.push(await trial(configuration, { ...chosen.variant, threads, workers: fewer }));
  return { views, steps: [...steps, ...others], chosen };
}

for (const configuration of configurations) {
  for (const precision of precisions) {
    const { views, steps, chosen } = await surveyPeer(configuration, precision);
    const [mine, theirs] = [startOurs(configuration, precision), startPeer(configuration, chosen.variant)];
    const rounds = { mine: [], theirs: [] };
    let last;
    for (let round = 0; round < plan.rounds; round++) {
      last = { mine: await mine.run(plan.steps), theirs: await theirs.run(plan.steps) };
      for (const side of ['mine', 'theirs']) rounds[side].push(rate(configuration, last[side].times));
      console.error(
        `${configuration.name}, ${precision}, in turns: ${rounds.mine.at(-1).toFixed(1)} and ${rounds.theirs.at(-1).toFixed(1)} images/s`,
      );
    }
    await Promise.all([mine.end(), theirs.end()]);
    if (last.mine.weights !== last.theirs.weights) {
      throw new Error(`the networks differ: ${last.mine.weights} weights and ${last.theirs.weights}`);
    }
    versions.pathlab = last.mine.version;

    const { name } = configuration;
    const row = (side, imagesPerSecond, peakMiB, rounds) => ({
      work: name,
      precision,
      side,
      imagesPerSecond,
      peakMiB,
      rounds,
    });
    rows.push(row('pathlab', median(rounds.mine), last.mine.peakMiB, rounds.mine));
    rows.push(row(`${nameOf(chosen.variant)}, in turns`, median(rounds.theirs), last.theirs.peakMiB, rounds.theirs));
    for (const { variant, imagesPerSecond, peakMiB } of [...steps, ...views]) {
      rows.push(row(nameOf(variant), imagesPerSecond, peakMiB));
    }
    ratios[`${name}, ${precision}`] = median(rounds.mine) / median(rounds.theirs);
  }
}

report('pretrain-epoch', {
  work: `SimCLR from 512 px JPEGs in shards to updated weights, batches of ${configurations.map(({ batch }) => batch).join(' and ')}`,
  machine: { cpu: cpus()[0].model.trim(), threads },
  versions,
  columns: {
    work: 'work',
    precision: 'precision',
    side: 'side',
    imagesPerSecond: 'images/s',
    peakMiB: 'peak memory, MiB',
  },
  rows,
  ratios,
  quick,
});

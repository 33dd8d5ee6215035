// Pretraining in whole steps: shards of 512 px JPEGs on disk, read, shuffled and decoded, views of each, networks, loss,
// optimizer, moving average; in pathlab and in PyTorch with webdataset and torchvision. PyTorch's ways to make the views and
// to run the step are timed one after the other; the fastest with two workers then runs in turns with pathlab, so that both
// see the same machine.
import { availableParallelism, cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { benchShards } from './loader/shards.mjs';
import { peerPython } from './peer-environment.mjs';
import { report } from './report.mjs';
import { median, Worker } from './worker.mjs';

const threads = availableParallelism();
const workers = 2;
const quick = process.argv.includes('--quick');
const survey = { steps: quick ? 2 : 4 };
/** Of each turn as many steps as PyTorch does in `seconds`, but at least two. */
const duel = { rounds: quick ? 2 : 5, seconds: quick ? 10 : 20 };

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const pipelines = ['torchvision', 'pillow'].flatMap((decoder) =>
  ['uint8', 'float32'].map((kind) => `${decoder}, ${kind}`),
);
pipelines.push('pillow, pillow');
const stepVariants = ['eager', 'compile'].map((mode) => ({ mode, format: 'channels_last', threads }));

const rate = ({ batch }, times) => (1000 * batch * times.length) / times.reduce((sum, ms) => sum + ms, 0);
const nameOf = ({ mode, format, pipeline, workers, threads }) =>
  `PyTorch ${mode}, ${format}, views by ${pipeline}, ${workers} workers, ${threads} threads`;
const best = (surveyed) => surveyed.reduce((one, other) => (other.imagesPerSecond > one.imagesPerSecond ? other : one));

/**
 * @param {object} benchmark
 * @param {string} benchmark.name
 * @param {string} benchmark.work what is done, in words
 * @param {object[]} benchmark.configurations what both sides are given, each with a name: see bench/pretraining/ours.mjs and
 *   `main` of bench/peers/torch_pretraining.py
 * @param {string[]} benchmark.precisions
 * @param {boolean} [benchmark.viewsAlone] whether views are made and not used
 */
export async function comparePretraining({ name, work, configurations, precisions, viewsAlone = false }) {
  const python = peerPython('loader');
  const { folder, classNames } = await benchShards();
  const startOurs = ({ name, ...given }, precision) =>
    new Worker(`pathlab, ${name}`, [
      ...[process.execPath, here(viewsAlone ? 'loader/ours.mjs' : 'pretraining/ours.mjs')],
      JSON.stringify({ ...given, folder, precision }),
    ]);
  const startPeer = ({ name, ...given }, variant) =>
    new Worker(`PyTorch, ${name}`, [
      ...[python, here('peers/torch_pretraining.py')],
      JSON.stringify({ ...given, folder, classNames, ...variant }),
    ]);

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
    if (viewsAlone) return { views, steps: [], chosen: best(views) };
    const { pipeline } = best(views).variant;
    const steps = [];
    for (const variant of stepVariants)
      steps.push(await trial(configuration, { ...variant, precision, pipeline, workers }));
    // The workers may need a core. Of two, none can be spared: SimCLR's step then takes 1.8 times as long.
    if (threads > 2) steps.push(await trial(configuration, { ...best(steps).variant, threads: threads - 1 }));
    return { views, steps, chosen: best(steps) };
  }

  for (const configuration of configurations) {
    for (const precision of precisions) {
      const { views, steps, chosen } = await surveyPeer(configuration, precision);
      const [mine, theirs] = [startOurs(configuration, precision), startPeer(configuration, chosen.variant)];
      const rounds = { mine: [], theirs: [] };
      const turn = Math.max(2, Math.round((duel.seconds * chosen.imagesPerSecond) / configuration.batch));
      let last;
      for (let round = 0; round < duel.rounds; round++) {
        last = { mine: await mine.run(turn), theirs: await theirs.run(turn) };
        for (const side of ['mine', 'theirs']) rounds[side].push(rate(configuration, last[side].times));
        console.error(
          `${configuration.name}, ${precision}, in turns: ${rounds.mine.at(-1).toFixed(1)} and ${rounds.theirs.at(-1).toFixed(1)} images/s`,
        );
        if (!viewsAlone) checkSame(last.mine, last.theirs);
      }
      await Promise.all([mine.end(), theirs.end()]);
      versions.pathlab = last.mine.version;

      const row = (side, imagesPerSecond, { peakMiB, firstLoss, loss }, rounds) => ({
        ...{ work: configuration.name, precision, side, imagesPerSecond, peakMiB, firstLoss, loss, rounds },
        shown: imagesPerSecond.toFixed(1),
      });
      rows.push(row('pathlab', median(rounds.mine), last.mine, rounds.mine));
      rows.push(row(`${nameOf(chosen.variant)}, in turns`, median(rounds.theirs), last.theirs, rounds.theirs));
      for (const { variant, imagesPerSecond, peakMiB } of [...steps, ...views]) {
        rows.push(row(nameOf(variant), imagesPerSecond, { peakMiB }));
      }
      ratios[`${configuration.name}, ${precision}`] = median(rounds.mine) / median(rounds.theirs);
    }
  }

  report(name, {
    work,
    machine: { cpu: cpus()[0].model.trim(), threads },
    versions,
    columns: { work: 'work', precision: 'precision', side: 'side', shown: 'images/s', peakMiB: 'peak memory, MiB' },
    rows,
    ratios,
    quick,
  });
}

/**
 * Weights of the same number, and losses that begin in the same range: networks are drawn by each side, as are the views. At
 * its temperature, SimCLR's first loss was 6.6 and 4.7. That the methods are the same is `method-parity`'s to show.
 */
function checkSame(mine, theirs) {
  if (mine.weights !== theirs.weights) {
    throw new Error(`the networks differ: ${mine.weights} weights and ${theirs.weights}`);
  }
  if (!(Math.abs(Math.log2(mine.firstLoss / theirs.firstLoss)) < 1)) {
    throw new Error(`the losses differ: the first is ${mine.firstLoss} and ${theirs.firstLoss}`);
  }
}

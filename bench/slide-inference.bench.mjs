// Segmentation of a slide of 20,000 x 20,000 px with a ResNet-50 that is fully convolutional: overlapping windows, blended, to
// a pyramidal TIFF of labels. pathlab against a script of PyTorch and openslide-python with the same weights. Every way to run
// the script is timed on a part; the fastest then runs in turns with pathlab. Memory is that of each side's whole tree of
// processes; pathlab's bound is 2 GiB.
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { memoryOf, treeOf } from './big-slide/tree-memory.mjs';
import { peerPython } from './peer-environment.mjs';
import { measuredPrecisions } from './precisions.mjs';
import { report } from './report.mjs';
import { benchmarkSlide } from './tiles/make-slide.mjs';
import { median, Worker } from './worker.mjs';

const quick = process.argv.includes('--quick');
const [small, side] = [1000, quick ? 1000 : 20_000];
const rounds = quick ? 1 : 2;
const [pixels, overlap, batch] = [256, 0.25, 16];
const threads = availableParallelism();
const boundMiB = 2048;
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const python = peerPython('slide-inference');
const folder = mkdtempSync(join(tmpdir(), 'slide-inference-'));
const [weights, ...outputs] = ['weights.safetensors', 'ours.tif', 'theirs.tif'].map((name) => join(folder, name));

const startOurs = (precision) =>
  new Worker('pathlab', [
    ...[process.execPath, here('slide-inference/ours.mjs'), precision],
    ...[pixels, overlap, batch].map(String),
    ...[outputs[0], weights],
  ]);
const startPeer = (precision, variant) =>
  new Worker('PyTorch', [
    ...[python, here('peers/torch_slide.py'), precision, ...variant],
    ...[threads, pixels, overlap, batch].map(String),
    ...[weights, outputs[1]],
  ]);
const variants = ['eager', 'compile'].flatMap((mode) =>
  ['nchw', 'channels_last'].flatMap((layout) => ['1', '2'].map((loaders) => [mode, layout, loaders])),
);

/** Runs a slide, and looks at the memory of the process and of all that it started. */
async function measured(worker, path) {
  let peak = 0;
  const look = setInterval(() => {
    peak = Math.max(peak, memoryOf(treeOf(worker.pid)).total);
  }, 250);
  try {
    return { ...(await worker.run(path)), peakMiB: peak / 2 ** 20 };
  } finally {
    clearInterval(look);
  }
}

/** Share of pixels in which both sides' labels are the same. */
async function agreement() {
  const [ours, theirs] = await Promise.all(
    outputs.map((path) => sharp(path, { limitInputPixels: false }).toColourspace('b-w').raw().toBuffer()),
  );
  return ours.reduce((same, label, pixel) => same + (label === theirs[pixel] ? 1 : 0), 0) / ours.length;
}

const rows = [];
const ratios = {};
const versions = {};
try {
  const [part, whole] = [await benchmarkSlide(small, small), await benchmarkSlide(side, side)];
  for (const precision of measuredPrecisions()) {
    const mine = startOurs(precision);
    await mine.run(part.path);
    const surveyed = [];
    for (const variant of quick ? variants.slice(0, 2) : variants) {
      const worker = startPeer(precision, variant);
      await worker.run(part.path);
      surveyed.push({ variant, ms: (await worker.run(part.path)).ms });
      await worker.end();
      console.error(`${precision}, PyTorch ${variant.join(' ')}: ${(surveyed.at(-1).ms / 1000).toFixed(1)} s a part`);
    }
    const best = surveyed.reduce((one, other) => (other.ms < one.ms ? other : one));
    const theirs = startPeer(precision, best.variant);
    await theirs.run(part.path);
    const all = { mine: [], theirs: [] };
    for (let round = 0; round < rounds; round++) {
      all.mine.push(await measured(mine, whole.path));
      all.theirs.push(await measured(theirs, whole.path));
    }
    await Promise.all([mine.end(), theirs.end()]);
    const same = await agreement();
    if (!(same > (precision === 'float32' ? 0.999 : 0.95))) {
      throw new Error(`${precision}: only ${(100 * same).toFixed(2)} % of the labels are the same on both sides`);
    }
    Object.assign(versions, { pathlab: all.mine[0].version, pytorch: all.theirs[0].version });
    const times = (side) => all[side].map(({ ms }) => ms);
    ratios[precision] = median(times('theirs')) / median(times('mine'));
    const row = (side, title) => {
      const peakMiB = Math.max(...all[side].map((one) => one.peakMiB));
      const seconds = median(times(side)) / 1000;
      const shown = { seconds: seconds.toFixed(1), windowsPerSecond: (all[side][0].windows / seconds).toFixed(1) };
      return { precision, side: title, ...shown, peakMiB, same: `${(100 * same).toFixed(2)} %`, times: times(side) };
    };
    rows.push(row('mine', 'pathlab'));
    rows.push(row('theirs', `PyTorch and openslide-python, ${best.variant.join(' ')} loaders, in turns`));
    if (rows.at(-2).peakMiB > boundMiB) {
      console.error(`${precision}: pathlab held ${rows.at(-2).peakMiB.toFixed(0)} MiB; the bound is ${boundMiB} MiB`);
      process.exitCode = 1;
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

report('slide-inference', {
  work: `labels of ${side} x ${side} px by windows of ${pixels} px, a quarter in common, batches of ${batch}`,
  machine: { cpu: cpus()[0].model.trim(), threads },
  versions,
  boundMiB,
  columns: {
    precision: 'precision',
    side: 'side',
    seconds: 'seconds',
    windowsPerSecond: 'windows/s',
    peakMiB: 'peak memory, MiB',
    same: 'labels the same',
  },
  rows,
  ratios,
  quick,
});

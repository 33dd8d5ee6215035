// Features of batches of images in pathlab and in PyTorch, float32 and bfloat16. Every way to run each network in PyTorch is
// timed; the fastest then runs in turns with pathlab, so that both see the same machine.
import { availableParallelism, cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { peerPython } from './peer-environment.mjs';
import { measuredPrecisions } from './precisions.mjs';
import { report } from './report.mjs';
import { median, Worker } from './worker.mjs';

const [batch, size] = [16, 224];
const threads = availableParallelism();
const quick = process.argv.includes('--quick');
const rounds = quick ? 2 : 6;
/** Passes of a worker's turn. One of ViT-L takes many seconds. */
const passesOf = (name) => (quick || name.startsWith('vit_large') ? 1 : 5);
const wanted = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const networks = wanted.length > 0 ? wanted : ['resnet50', 'vit_small_patch16_224', 'vit_large_patch16_224'];
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const python = peerPython('models');

const precisions = measuredPrecisions();

const variantsOf = (name, precision) =>
  ['eager', 'compile'].flatMap((mode) =>
    (name.startsWith('vit') ? ['nchw'] : ['nchw', 'channels_last']).flatMap((layout) =>
      (precision === 'bfloat16' ? ['float32', 'low'] : ['float32']).map((weights) => [mode, layout, weights]),
    ),
  );
const sizes = [batch, size].map(String);
const startOurs = (name, precision) =>
  new Worker(`pathlab, ${name}`, [process.execPath, here('inference/ours.mjs'), precision, name, ...sizes]);
const startPeer = (name, precision, variant) =>
  new Worker(`PyTorch, ${name}`, [
    ...[python, here('peers/torch_inference.py'), precision, ...variant, String(threads), name],
    ...sizes,
  ]);
const rate = (ms) => (1000 * batch) / ms;

const versions = {};
const rows = [];
const ratios = {};
for (const name of networks) {
  const passes = passesOf(name);
  for (const precision of precisions) {
    const surveyed = [];
    for (const variant of variantsOf(name, precision)) {
      const worker = startPeer(name, precision, variant);
      await worker.run(passes > 1 ? 2 : 1);
      const { times, version } = await worker.run(passes);
      await worker.end();
      versions.pytorch = version;
      surveyed.push({ variant, ms: median(times) });
      console.error(`${name}, ${precision}, PyTorch ${variant.join(' ')}: ${rate(median(times)).toFixed(1)} images/s`);
    }
    const best = surveyed.reduce((one, other) => (other.ms < one.ms ? other : one));
    const [mine, theirs] = [startOurs(name, precision), startPeer(name, precision, best.variant)];
    await mine.run(1);
    await theirs.run(1);
    const all = { mine: [], theirs: [] };
    let last;
    for (let round = 0; round < rounds; round++) {
      last = { mine: await mine.run(passes), theirs: await theirs.run(passes) };
      for (const side of ['mine', 'theirs']) all[side].push(...last[side].times);
    }
    await Promise.all([mine.end(), theirs.end()]);
    if (String(last.mine.shape) !== String(last.theirs.shape)) {
      throw new Error(`${name}: features are [${last.mine.shape}] and [${last.theirs.shape}]`);
    }
    versions.pathlab = last.mine.version;
    ratios[`${name}, ${precision}`] = median(all.theirs) / median(all.mine);
    console.error(`${name}, ${precision}: ratio ${ratios[`${name}, ${precision}`].toFixed(2)}`);
    const row = (side, { peakMiB }, times) => ({
      ...{ name, precision, side, peakMiB, imagesPerSecond: rate(median(times)), times },
      ...{ shown: rate(median(times)).toFixed(1) },
    });
    rows.push(row('pathlab, compiled', last.mine, all.mine));
    rows.push(row(`PyTorch ${best.variant.join(' ')}, in turns`, last.theirs, all.theirs));
  }
}

report('inference', {
  work: `features of ${batch} images of ${size} px`,
  machine: { cpu: cpus()[0].model.trim(), threads },
  versions,
  columns: { name: 'network', precision: 'precision', side: 'side', shown: 'images/s', peakMiB: 'peak memory, MiB' },
  rows,
  ratios,
  quick: quick || wanted.length > 0,
});

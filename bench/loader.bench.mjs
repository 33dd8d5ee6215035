// Shards to decoded batches: read, shuffle, decode 512 px JPEGs, random resized crop to 224 px, both flips; in pathlab and
// in Python's webdataset + torchvision with two workers, on the same shards. Both ways of decoding that torchvision has
// are timed; the faster then runs in turns with pathlab, so that both see the same machine. What a side makes ahead when its
// turn is over it finishes before the other's begins, and that is not counted. Before that, webdataset reads every patch
// once, and shards with masks, and must find what is in them.
import { availableParallelism, cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { checkMasks } from './loader/masks.mjs';
import { benchShards } from './loader/shards.mjs';
import { peerPython } from './peer-environment.mjs';
import { report } from './report.mjs';
import { median, Worker } from './worker.mjs';

const batch = 64;
const size = 224;
const workers = 2;
const quick = process.argv.includes('--quick');
const rounds = quick ? 2 : 6;
const batches = quick ? 6 : 16;

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const python = peerPython('loader');

const masked = await checkMasks(python);
console.error(`webdataset reads the masks of ${masked} patches as they were written`);
const { folder, patches } = await benchShards();
const view = {
  size,
  crop: { scale: [0.8, 1], ratio: [3 / 4, 4 / 3] },
  flips: { horizontal: 0.5, vertical: 0.5 },
};
const ours = () =>
  new Worker('pathlab', [process.execPath, here('loader/ours.mjs'), JSON.stringify({ folder, batch, views: [view] })]);
const peer = (decoder) =>
  new Worker(`webdataset, ${decoder}`, [
    ...[python, here('peers/webdataset_loader.py'), folder, decoder],
    ...[batch, size, workers].map(String),
  ]);

// Batches come in bursts from several workers: the mean of many counts, not a batch's time.
const mean = (times) => times.reduce((sum, ms) => sum + ms, 0) / times.length;
const rate = (ms) => batch / (ms / 1000);

const versions = {};
const surveyed = [];
for (const decoder of ['pillow', 'torchvision']) {
  const worker = peer(decoder);
  const check = await worker.run(0);
  if (check.samples !== patches) throw new Error(`webdataset reads ${check.samples} patches of ${patches}`);
  await worker.run(batches);
  const { times, version, peakMiB } = await worker.run(batches);
  await worker.end();
  versions.peer = version;
  surveyed.push({ decoder, rate: rate(mean(times)), peakMiB });
  console.error(`webdataset, ${decoder}: ${surveyed.at(-1).rate.toFixed(0)} images/s`);
}
const best = surveyed.reduce((one, other) => (other.rate > one.rate ? other : one));

const [mine, theirs] = [ours(), peer(best.decoder)];
await mine.run(4);
await theirs.run(4);
const means = { mine: [], theirs: [] };
let last;
for (let round = 0; round < rounds; round++) {
  last = { mine: await mine.run(batches), theirs: await theirs.run(batches) };
  for (const side of ['mine', 'theirs']) means[side].push(mean(last[side].times));
}
await Promise.all([mine.end(), theirs.end()]);
versions.pathlab = last.mine.version;

const row = (side, imagesPerSecond, peakMiB, rounds) => ({ side, imagesPerSecond, peakMiB, rounds });
report('loader', {
  work: `shards to ${size} px batches of ${batch}: read, shuffle, decode 512 px JPEG, random resized crop (.8-1), flips`,
  machine: { cpu: cpus()[0].model.trim(), threads: availableParallelism() },
  versions,
  columns: { side: 'side', imagesPerSecond: 'images/s', peakMiB: 'peak memory, MiB' },
  rows: [
    row('pathlab', rate(median(means.mine)), last.mine.peakMiB, means.mine),
    row(
      `webdataset + torchvision, ${best.decoder}, ${workers} workers, in turns`,
      rate(median(means.theirs)),
      last.theirs.peakMiB,
      means.theirs,
    ),
    ...surveyed.map((one) => row(`webdataset + torchvision, ${one.decoder}`, one.rate, one.peakMiB)),
  ],
  ratios: { loader: median(means.theirs) / median(means.mine) },
  quick,
});

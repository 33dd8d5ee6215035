// Patches of 512 px at 0.39 um/px from random places of a slide of 13,320 x 14,835 px: read, decoded and resampled, and
// the same with JPEG encoding. pathlab's reader processes against openslide-python and Pillow with a thread a core, in
// turns, on the same places.
import { availableParallelism, cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { key } from '../dist/base/index.js';
import { openSlide, paperGeometry } from '../dist/slides/index.js';
import { peerPython } from './peer-environment.mjs';
import { report } from './report.mjs';
import { benchmarkSlide } from './tiles/make-slide.mjs';
import { median, Worker } from './worker.mjs';

const quick = process.argv.includes('--quick');
const patches = 400;
const rounds = quick ? 2 : 7;
const quality = 90;
const threads = availableParallelism();
const here = (path) => fileURLToPath(new URL(path, import.meta.url));

const { path, mpp } = await benchmarkSlide();
const slide = await openSlide(path);
const { width, height } = slide;
await slide.close();
const side = paperGeometry.micrometers / mpp;
const random = key('tiles').generator();
/** Fresh places every round, so that nobody's cache of a round before helps. */
const places = () => {
  const along = (size) => Array.from({ length: patches }, () => random.integer(Math.floor(size - side)));
  return { x: along(width), y: along(height) };
};

const ours = new Worker('pathlab', [process.execPath, here('tiles/ours.mjs'), path, String(quality)]);
const peer = new Worker('openslide-python', [
  ...[peerPython('slides'), here('peers/openslide_tiles.py'), path],
  ...[paperGeometry.micrometers, paperGeometry.pixels, quality, threads].map(String),
]);

/** Largest difference between the values of two patches, which come in base64. */
function difference(one, other) {
  const [first, second] = [one, other].map((text) => Buffer.from(text, 'base64'));
  return first.reduce((most, value, place) => Math.max(most, Math.abs(value - second[place])), 0);
}

const rows = [];
const ratios = {};
for (const jpeg of [false, true]) {
  const name = jpeg ? 'patches as JPEG' : 'patches';
  const times = { ours: [], peer: [] };
  let maxDifference = 0;
  let bytes;
  for (let round = 0; round <= rounds; round++) {
    const work = JSON.stringify({ ...places(), jpeg });
    const [one, other] = [await ours.run(work), await peer.run(work)];
    // The first round warms both up.
    if (round === 0) continue;
    maxDifference = Math.max(maxDifference, difference(one.first, other.first));
    bytes = { ours: one.bytes, peer: other.bytes };
    times.ours.push(one.ms);
    times.peer.push(other.ms);
  }
  const rate = (side) => (patches * 1000) / median(times[side]);
  ratios[name] = rate('ours') / rate('peer');
  const against = `${ratios[name].toFixed(2)} times`;
  const row = (side, title) => ({
    ...{ work: name, side: title, rate: rate(side), bytes: bytes[side] / patches / 1024, times: times[side] },
    against: side === 'ours' ? against : '',
    maxDifference: jpeg ? '' : String(maxDifference),
  });
  rows.push(row('ours', 'pathlab'), row('peer', `openslide-python and Pillow, ${threads} threads`));
}
await Promise.all([ours.end(), peer.end()]);

report('tiles', {
  work: `${patches} patches a round of ${paperGeometry.pixels} px at ${(paperGeometry.micrometers / paperGeometry.pixels).toFixed(3)} um/px, random places, JPEG pyramid of ${width} x ${height} px at ${mpp} um/px`,
  machine: { cpu: cpus()[0].model.trim(), threads },
  columns: {
    work: 'work',
    side: 'side',
    rate: 'patches/s',
    bytes: 'KiB a patch',
    against: 'against the peer',
    maxDifference: 'most difference of a value',
  },
  rows,
  ratios: { patches: ratios.patches },
  quick,
});

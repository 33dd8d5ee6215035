// npm run campaign -- weights-exchange: weights go out to timm and torchvision, whose strict load_state_dict takes them, and
// come back bit for bit; and EfficientNet-Lite0 with the weights that a package ships, trained on ImageNet, gives what timm's
// gives. What it sees in images says which normalization the weights expect.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { key } from '../dist/base/index.js';
import { writeTimmFolder, writeWeights } from '../dist/cli/export.js';
import { disposeTensors, readAll, tf } from '../dist/engine/index.js';
import { backbone, backboneNames, loadWeights, openWeights, publishedWeights, toTorch } from '../dist/models/index.js';
import { writeCampaignResult } from './campaign-result.mjs';
import { peerPython } from './peer-environment.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const bound = 1e-4;
const python = peerPython('weights');
const folder = mkdtempSync(join(tmpdir(), 'weights-exchange-'));

function peer(...args) {
  const { status, stdout } = spawnSync(python, [here('peers/weights_exchange.py'), ...args], {
    ...{ stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8', maxBuffer: 2 ** 30 },
  });
  if (status !== 0) throw new Error(`the peer's ${args[0]} ended with ${status}`);
  return stdout.trim().split('\n');
}

/** Difference over size, both as Euclidean norms; NaN where nothing of finite size is expected. */
function relativeError(actual, expected) {
  let [difference, size] = [0, 0];
  for (const [i, value] of expected.entries()) {
    difference += (actual[i] - value) ** 2;
    size += value ** 2;
  }
  return size > 0 && size < Infinity && actual.length === expected.length ? Math.sqrt(difference / size) : Number.NaN;
}

/** test/fixtures/hash-uniform.ts is not built; this is `hash_uniform.py` for stream 0. */
function hashImages(size) {
  const values = Float32Array.from({ length: 2 * size * size * 3 }, (_, index) => {
    let h = index >>> 0;
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b) >>> 0;
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35) >>> 0;
    h = (h ^ (h >>> 16)) >>> 0;
    return (h >>> 8) / 2 ** 23 - 1;
  });
  return tf.tensor4d(values, [2, size, size, 3]);
}

/** The large ones say nothing that the small ones of their family do not. */
const left = new Set(['vit_large_patch16_224']);
const inTorchvision = ['resnet18', 'resnet50', 'inception_v3'];
const networks = backboneNames
  .filter((name) => !left.has(name))
  .flatMap((own) => {
    const { timm, inputSize } = backbone(own);
    const size = own.startsWith('vit') ? inputSize : 96;
    return [
      { own, library: 'timm', theirs: timm, size },
      ...(inTorchvision.includes(own) ? [{ own, library: 'torchvision', theirs: own, size }] : []),
    ].map((network) => ({ ...network, name: `${network.library}-${own}` }));
  });

const rows = [];
const expected = [];
for (const { own, library, name, size } of networks) {
  const network = backbone(own);
  const model = network.initialize(key('weights-exchange').fold(own));
  mkdirSync(join(folder, name));
  const encoder = { backbone: network, model, view: { size, crop: 1, colors: network.colors } };
  if (library === 'timm') await writeTimmFolder(encoder, join(folder, name), 'campaign');
  else await writeWeights(encoder, join(folder, name), 'campaign');
  const features = tf.tidy(() =>
    network.apply(model, hashImages(size), { training: false }).features.dataSync().slice(),
  );
  expected.push({ features, weights: bytesOf(toTorch(model)) });
  disposeTensors(model.parameters, model.state);
}
writeFileSync(join(folder, 'networks.json'), JSON.stringify(networks));
const answers = peer('take', folder).map((line) => JSON.parse(line));
for (const [place, { own, library, name }] of networks.entries()) {
  const difference = relativeError(expected[place].features, answers[place].features);
  const { model } = await loadWeights(backbone(own), join(folder, `${name}.pth`));
  const back = bytesOf(toTorch(model));
  const same = Object.entries(expected[place].weights).every(([tensor, bytes]) => back[tensor]?.equals(bytes));
  disposeTensors(model.parameters, model.state);
  const row = { network: own, library, difference, backBitForBit: same, localDirectory: answers[place].local };
  rows.push({ ...row, holds: difference < bound && same && (row.localDirectory ?? 0) === 0 });
  console.log(
    `${library.padEnd(12)}${own.padEnd(24)} differs by ${difference.toExponential(1)}, comes back ${same ? 'the same' : 'CHANGED'}`,
  );
}

const published = await publishedWeights('efficientnet-lite0-imagenet');
peer('lite0', published.path, folder);
const answersOfLite0 = JSON.parse(readFileSync(join(folder, 'answers.json'), 'utf8'));
const lite0 = backbone('efficientnet_lite0');
const { model, classifier } = await loadWeights(lite0, published.path, { classes: 1000 });
const images = await readAll(await openWeights(join(folder, 'images.npz')));
const normalizations = {
  half: [
    [0.5, 0.5, 0.5],
    [0.5, 0.5, 0.5],
  ],
  imagenet: [
    [0.485, 0.456, 0.406],
    [0.229, 0.224, 0.225],
  ],
};
const lite0Rows = [];
for (const [image, pixels] of Object.entries(images)) {
  for (const [normalization, [mean, deviation]] of Object.entries(normalizations)) {
    const [features, logits] = tf.tidy(() => {
      const images = pixels.toFloat().div(255).sub(mean).div(deviation).expandDims(0);
      const { features } = lite0.apply(model, images, { training: false });
      return [features, tf.matMul(features, classifier.weight, false, true).add(classifier.bias)].map((x) =>
        x.dataSync().slice(),
      );
    });
    const theirs = answersOfLite0[image][normalization];
    const difference = Math.max(relativeError(features, theirs.features), relativeError(logits, theirs.logits));
    lite0Rows.push({ image, normalization, difference, top: theirs.top, holds: difference < bound });
    const top = theirs.top
      .slice(0, 3)
      .map(([name, share]) => `${name} ${share}`)
      .join(', ');
    console.log(
      `lite0 ${image.padEnd(11)}${normalization.padEnd(9)} differs by ${difference.toExponential(1)}: ${top}`,
    );
  }
}
rmSync(folder, { recursive: true });
const all = [...rows, ...lite0Rows];
const held = all.filter(({ holds }) => holds).length;
writeCampaignResult('weights-exchange', [], { bound, networks: rows, lite0: lite0Rows });
console.log(`weights-exchange: value ${held} of ${all.length} comparisons hold`);
process.exitCode = held === all.length ? 0 : 1;

function bytesOf(tensors) {
  const bytes = Object.entries(tensors).map(([name, tensor]) => [name, Buffer.from(tensor.dataSync().buffer.slice(0))]);
  disposeTensors(tensors);
  return Object.fromEntries(bytes);
}

// npm run campaign -- weights-exchange: backbones and fine-tuned networks go out to timm and torchvision, are loaded there as
// their model cards say, with strict load_state_dict, give the same features or logits, and come back bit for bit; and
// EfficientNet-Lite0 with the weights that a package ships, trained on ImageNet, gives what timm's gives. What it sees in images
// says which normalization the weights expect.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { segmentationViews, supervisedViews } from '../dist/augment/index.js';
import { key } from '../dist/base/index.js';
import { timmForm } from '../dist/cli/export-timm.js';
import { torchvisionForm } from '../dist/cli/export-torchvision.js';
import { disposeTensors, readAll, tf } from '../dist/engine/index.js';
import { segmentation } from '../dist/finetune/index.js';
import { backbone, backboneNames, loadWeights, openWeights, publishedWeights, toTorch } from '../dist/models/index.js';
import { supervised } from '../dist/pretrain/index.js';
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
const forms = { timm: timmForm, torchvision: torchvisionForm };
const classNames = ['normal', 'benign', 'malignant'];
/** One of each family, whose classifiers have different names. */
const classified = ['resnet18', 'inception_v3', 'resnetv2_50x1_bit', 'efficientnet_lite0', 'vit_small_patch16_224'];
const networks = [
  ...backboneNames.filter((name) => !left.has(name)).map((own) => ({ own })),
  ...classified.map((own) => ({ own, head: 'classifier' })),
].flatMap(({ own, head }) =>
  Object.keys(forms)
    .filter((library) => library === 'timm' || inTorchvision.includes(own))
    .map((library) => ({ own, head, library })),
);
for (const head of ['fcn', 'deeplabv3']) networks.push({ own: 'resnet50_dilated', head, library: 'torchvision' });

function methodOf(network, head, size) {
  if (head === 'classifier') {
    const settings = { dropout: 0.4, labelSmoothing: 0, weighted: false };
    return supervised({ backbone: network, views: supervisedViews(size), ...settings });
  }
  return segmentation({ backbone: network, head, views: segmentationViews(size), loss: 'both', weighted: true });
}

function modelOf({ own, head, size }) {
  const network = backbone(own);
  const from = key('weights-exchange').fold(own);
  const view = { size, crop: 1, colors: network.colors };
  if (!head) return { backbone: network, model: network.initialize(from), view };
  const method = methodOf(network, head, size);
  const model = method.initialize(from, { classNames, labels: new Int32Array([0, 1, 2]), pixels: [1, 2, 3] });
  return { backbone: network, model: method.encoder(model), view, fineTuned: { method, model, classNames } };
}

const rows = [];
const expected = [];
for (const network of networks) {
  const { own, head, library } = network;
  network.size = own.startsWith('vit') ? backbone(own).inputSize : 96;
  network.name = [library, own, head].filter(Boolean).join('-');
  const exported = modelOf(network);
  const { backbone: of, model, fineTuned } = exported;
  mkdirSync(join(folder, network.name));
  await forms[library].write(exported, join(folder, network.name), { batch: 1, run: 'campaign' });
  network.loading = forms[library].loading(exported, join(folder, network.name));
  const outputs = tf.tidy(() => {
    const images = hashImages(network.size);
    const computed = fineTuned
      ? fineTuned.method.predict(fineTuned.model, images)
      : of.apply(model, images, { training: false }).features;
    // PyTorch has the channels before the places.
    return (computed.rank === 4 ? computed.transpose([0, 3, 1, 2]) : computed).dataSync().slice();
  });
  const classifier =
    head === 'classifier' ? ['weight', 'bias'].map((part) => fineTuned.model.parameters[`head.${part}`]) : [];
  expected.push({ outputs, weights: bytesOf(toTorch(model)), classifier: classifier.map(bytesOfTensor) });
  const { parameters, state } = fineTuned?.model ?? model;
  disposeTensors(parameters, state);
}
writeFileSync(join(folder, 'networks.json'), JSON.stringify(networks));
const answers = peer('take', folder).map((line) => JSON.parse(line));
for (const [place, { own, head, library, name }] of networks.entries()) {
  const { outputs, weights, classifier } = expected[place];
  const difference = relativeError(outputs, answers[place].outputs);
  const options =
    head === 'classifier' ? { classes: classNames.length } : head ? { mayBeLeftOver: ['classifier.'] } : {};
  const loaded = await loadWeights(backbone(own), join(folder, `${name}.pth`), options);
  const back = bytesOf(toTorch(loaded.model));
  const same =
    Object.entries(weights).every(([tensor, bytes]) => back[tensor]?.equals(bytes)) &&
    classifier.every((bytes, part) => bytesOfTensor(loaded.classifier[['weight', 'bias'][part]]).equals(bytes));
  disposeTensors(loaded.model.parameters, loaded.model.state, loaded.classifier ?? {});
  const row = { network: own, head, library, difference, backBitForBit: same, localDirectory: answers[place].local };
  rows.push({ ...row, holds: difference < bound && same && (row.localDirectory ?? 0) === 0 });
  console.log(
    `${library.padEnd(12)}${[own, head].filter(Boolean).join(', ').padEnd(34)} differs by ${difference.toExponential(1)}, comes back ${same ? 'the same' : 'CHANGED'}`,
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
  const bytes = Object.entries(tensors).map(([name, tensor]) => [name, bytesOfTensor(tensor)]);
  disposeTensors(tensors);
  return Object.fromEntries(bytes);
}

function bytesOfTensor(tensor) {
  return Buffer.from(tensor.dataSync().buffer.slice(0));
}

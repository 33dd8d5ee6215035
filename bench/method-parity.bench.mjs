// npm run bench -- method-parity: ten whole steps of each method in pathlab and in PyTorch, from the same weights, views and
// order: SimCLR, MoCo v2, BYOL and DINO with lightly's heads, losses and averages; supervised pretraining, MoCo v2 in groups of
// batch norm and MAE, which lightly has not or has otherwise, in plain PyTorch. Tells the largest relative difference of the
// loss; more than 1e-4 is a failure.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { key } from '../dist/base/index.js';
import { disposeTensors, randomNormal, tf, writeSafetensors } from '../dist/engine/index.js';
import { toTorch, vit } from '../dist/models/index.js';
import { byol, dino, mae, mocoV2, randomMask, simclr, supervised } from '../dist/pretrain/index.js';
import { adamw, freezing, isBiasOrNorm, lars, sgd, train } from '../dist/training/index.js';
import { peerPython } from './peer-environment.mjs';
import { reportValue } from './report.mjs';

const [steps, stepsPerEpoch, batch, largest] = [10, 5, 16, 1e-4];
const unlabelled = { labels: new Int32Array(), classNames: [] };
/** Classes of which the first are rare. */
const classNames = ['a', 'b', 'c', 'd'];
const labelled = {
  labels: Int32Array.from({ length: 64 }, (_, patch) => Math.floor(Math.sqrt(patch / 4))),
  classNames,
};
const small = { imageSize: 32, patchSize: 8, width: 64, depth: 3, heads: 4 };
const backbone = vit(small);
const view = (size) => ({ size, crop: { scale: [1, 1], ratio: [1, 1] } });
const head = { hiddenSize: 128, outputSize: 32 };

/**
 * Settings stand in `settings` as the peer reads them; `optimizer` is ours. A transformer, because the loss of a ResNet with
 * so few values for each batch norm is chaotic: a difference of 1e-6 grows tenfold a step, whoever computes it.
 */
const cases = [
  {
    method: supervised({ backbone, views: view(32), dropout: 0, labelSmoothing: 0.1, weighted: true }),
    settings: { learningRate: 1e-3, weightDecay: 0.05, clipNorm: 0.5, clipOf: 'all' },
    optimizer: ({ weightDecay }) => adamw({ weightDecay }),
    start: labelled,
  },
  {
    method: simclr({ backbone, views: view(32), ...head, temperature: 0.2 }),
    settings: { learningRate: 0.03, weightDecay: 1e-4 },
    optimizer: ({ weightDecay }) => sgd({ momentum: 0.9, weightDecay, exclude: isBiasOrNorm }),
  },
  {
    method: mocoV2({
      ...{ backbone, views: view(32), ...head },
      ...{ temperature: 0.2, momentum: 0.9, queueSize: 64, batchNormGroups: 1 },
    }),
    settings: { learningRate: 0.03, weightDecay: 1e-4 },
    optimizer: ({ weightDecay }) => sgd({ momentum: 0.9, weightDecay }),
  },
  {
    name: 'MoCo v2, two groups of batch norm',
    method: mocoV2({
      ...{ backbone, views: view(32), ...head },
      ...{ temperature: 0.2, momentum: 0.9, queueSize: 64, batchNormGroups: 2, headBatchNorm: true },
    }),
    settings: { learningRate: 0.03, weightDecay: 1e-4 },
    optimizer: ({ weightDecay }) => sgd({ momentum: 0.9, weightDecay }),
  },
  {
    method: byol({ backbone, views: [view(32), view(32)], ...head, momentum: 0.9 }),
    settings: { learningRate: 0.45, weightDecay: 1e-6 },
    optimizer: ({ weightDecay }) => lars({ momentum: 0.9, weightDecay }),
  },
  {
    method: dino({
      ...{ backbone: () => backbone, dropPathRate: 0, views: [32, 32, 16, 16, 16].map(view) },
      ...{ hiddenSize: 128, bottleneckSize: 32, outputSize: 256, normLastLayer: true, batchNorm: false },
      ...{ frozenEpochs: 1, studentTemperature: 0.1, teacherTemperature: { from: 0.04, to: 0.07, epochs: 2 } },
      ...{ momentum: 0.9, centerMomentum: 0.9 },
    }),
    settings: { learningRate: 5e-4, weightDecay: 0.04, finalWeightDecay: 0.4, clipNorm: 0.1, clipOf: 'each' },
    // An epoch is not to be longer than a tenth of the training: the bench has ten steps, of which five are frozen.
    frozen: (step) => (step < stepsPerEpoch ? 1 : 0),
    optimizer: ({ weightDecay }, { freezes }) => freezing(adamw({ weightDecay }), freezes),
  },
  {
    method: mae({
      backbone: vit({ ...small, positions: 'fixed' }),
      ...{ views: view(32), maskRatio: 0.75, normalizeTargets: true },
      decoder: { width: 32, depth: 2, heads: 4 },
    }),
    settings: { learningRate: 1e-3, weightDecay: 0.05, betas: [0.9, 0.95] },
    optimizer: ({ weightDecay, betas }) => adamw({ weightDecay, betas }),
    masks: { patches: 16, kept: 4 },
  },
];

function viewsOf(method, step) {
  const own = key('method-parity').fold('views').fold(step);
  return method.views.map(({ size }, at) => randomNormal(own.fold(at), [batch, size, size, 3]));
}

/** Classes of a step's patches. */
function labelsOf(step) {
  const generator = key('method-parity').fold('labels').fold(step).generator();
  const labels = Array.from({ length: batch }, () => generator.integer(classNames.length));
  return tf.tensor1d(labels, 'int32');
}

/** What the peer reads of a step besides its views, as float32. */
function factsOf({ start, masks }, step) {
  if (start) return { labels: tf.cast(labelsOf(step), 'float32') };
  if (!masks) return {};
  // As `mae` draws it.
  const random = key('method-parity').fold('steps').fold(step).fold('mask');
  const { visible, places } = randomMask(random, [batch, masks.patches], masks.kept);
  return { visible: tf.cast(visible, 'float32'), places: tf.cast(places, 'float32') };
}

async function ours({ method, settings, optimizer, frozen, start = unlabelled }) {
  const { learningRate, weightDecay, finalWeightDecay, clipNorm, clipOf } = settings;
  const losses = [];
  const { tensors } = await train({
    ...{ steps, imagesPerStep: batch, key: key('method-parity'), clipNorm, clipOf },
    optimizer: optimizer(settings, method),
    schedules: {
      learningRate: () => learningRate,
      ...(finalWeightDecay !== undefined && {
        weightDecay: (step) =>
          finalWeightDecay + ((weightDecay - finalWeightDecay) / 2) * (1 + Math.cos((Math.PI * step) / steps)),
      }),
    },
    objective: {
      ...method,
      initialize: (key) => method.initialize(key, start),
      schedules: { ...method.schedules?.({ steps, stepsPerEpoch }), ...(frozen && { frozen }) },
      loss: (model, { labels, ...views }, context) =>
        method.loss(model, { views: Object.values(views), labels }, context),
    },
    batch: (step) => ({
      ...Object.fromEntries(viewsOf(method, step).map((images, at) => [`view${at}`, images])),
      labels: labelsOf(step),
    }),
    onEvent: ({ kind, loss }) => void (kind === 'step' && losses.push(loss)),
  });
  disposeTensors(tensors.parameters, tensors.state, tensors.optimizer);
  return losses;
}

/** What the peer reads of a method. */
async function describe(own, folder) {
  const { method, settings, start = unlabelled } = own;
  // As `train` draws them.
  const { parameters, state } = method.initialize(key('method-parity').fold('weights'), start);
  const kept = Object.fromEntries(Object.entries(state).filter(([name]) => !name.startsWith('momentum/')));
  await writeSafetensors(join(folder, 'weights.safetensors'), toTorch({ parameters, state: kept }));
  disposeTensors(parameters, state);
  const views = Array.from({ length: steps }, (_, step) => [
    ...viewsOf(method, step).map((images, at) => [`${step}.${at}`, images]),
    ...Object.entries(factsOf(own, step)).map(([name, tensor]) => [`${step}.${name}`, tensor]),
  ]);
  await writeSafetensors(join(folder, 'views.safetensors'), Object.fromEntries(views.flat()));
  const facts = { method: method.name, options: method.settings, views: method.views.length, steps, stepsPerEpoch };
  writeFileSync(join(folder, 'settings.json'), JSON.stringify({ ...facts, ...settings, backbone: small }));
}

/** The losses of each case. */
async function peers(cases) {
  const folders = cases.map(() => mkdtempSync(join(tmpdir(), 'method-parity-')));
  try {
    for (const [at, own] of cases.entries()) await describe(own, folders[at]);
    const script = fileURLToPath(new URL('peers/lightly_methods.py', import.meta.url));
    const { status, stdout } = spawnSync(peerPython('methods'), [script, ...folders], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    if (status !== 0) throw new Error(`${script} ended with status ${status}`);
    return JSON.parse(stdout);
  } finally {
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  }
}

const theirs = await peers(cases);
const rows = [];
for (const [at, own] of cases.entries()) {
  const [here, there] = [await ours(own), theirs[at]];
  const differences = here.map((loss, step) => Math.abs(loss - there[step]) / Math.abs(there[step]));
  const worst = Math.max(...differences);
  const shown = (losses) => [losses[0], losses.at(-1)].map((loss) => loss.toFixed(4)).join(' to ');
  rows.push({
    method: own.name ?? own.method.name,
    ours: shown(here),
    peer: shown(there),
    difference: worst.toExponential(1),
    differences,
  });
}
const worst = Math.max(...rows.map(({ difference }) => Number(difference)));
reportValue('method-parity', {
  work: `${steps} steps of each method from the same weights and views: loss, and the largest relative difference`,
  columns: { method: 'Method', ours: 'pathlab', peer: 'lightly or PyTorch', difference: 'Difference' },
  ...{ rows, value: worst * 1e6, unit: 'millionths of the loss, the largest difference' },
});
process.exitCode = worst <= largest ? 0 : 1;

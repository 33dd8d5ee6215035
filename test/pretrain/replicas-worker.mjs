// One replica of replica-training.test.ts. One argument, as JSON: folder (of the dataset), run (folder for checkpoints, log and
// weights), names (of methods), steps, index, addresses (one: it trains alone; none: those of its launcher), every (steps
// from checkpoint to checkpoint), killed (`index`, `step`, `milliseconds`: that worker, if it was not started again, kills itself so long after it asked for
// that step's batch). Writes a line of JSON: the losses of each method, which the first replica is told.
import { writeSync } from 'node:fs';
import { join as pathOf } from 'node:path';
import { key } from '../../dist/base/index.js';
import { openShardDataset } from '../../dist/datasets/index.js';
import { joinCluster, writeSafetensors } from '../../dist/engine/index.js';
import { BatchSource } from '../../dist/input/index.js';
import { halfColors } from '../../dist/models/backbone.js';
import { ForwardPass } from '../../dist/models/forward-pass.js';
import { vit } from '../../dist/models/index.js';
import { addBatchNorm, kaimingConvolution } from '../../dist/models/initialize.js';
import { byol, dino, mae, mocoV2, pretrain, simclr, supervised } from '../../dist/pretrain/index.js';
import { joinReplicas, replicasOf, singleReplica } from '../../dist/training/index.js';

const { folder, run, names, steps, addresses, killed, every, ...own } = JSON.parse(process.argv[2]);
const replicas = await join();
const { index } = replicas;

async function join() {
  if (!addresses) return joinReplicas();
  if (addresses.length === 1) return singleReplica;
  // Small packs, so that there are several.
  return replicasOf(joinCluster({ addresses, index: own.index }), { packed: 10_000 });
}

/** Few layers: in deep small networks rounding grows a thousandfold from step to step, with one process too. */
const backbone = {
  ...{ name: 'two convolutions', featureSize: 16, inputSize: 32, colors: halfColors, source: '' },
  initialize(key) {
    const model = { parameters: {}, state: {} };
    model.parameters['conv1.weight'] = kaimingConvolution(key.fold('conv1'), [3, 3, 3, 8]);
    model.parameters['conv2.weight'] = kaimingConvolution(key.fold('conv2'), [3, 3, 8, 16]);
    addBatchNorm(model, 'bn1', 8);
    addBatchNorm(model, 'bn2', 16);
    return model;
  },
  apply(model, images, { training }) {
    const pass = new ForwardPass(model, training);
    const layer = (number) => ({ conv: `conv${number}`, norm: `bn${number}`, stride: 2 });
    const map = pass.convs(images, [layer(1), layer(2)], { relu: true });
    return { features: map.mean([1, 2]), stages: [map], state: pass.state };
  },
};
const views = { size: 32, crop: { scale: [0.3, 1], ratio: [0.75, 1.33] } };
const head = { backbone, hiddenSize: 32, outputSize: 16 };
const small = { patchSize: 8, imageSize: 32, width: 32, depth: 1, heads: 2 };
const moco = { ...head, views, temperature: 0.2, momentum: 0.9, queueSize: 20 };
const methods = {
  Supervised: () => supervised({ backbone, views, dropout: 0.4, labelSmoothing: 0.1, weighted: true }),
  SimCLR: () => simclr({ ...head, views, temperature: 0.2 }),
  'MoCo v2': () => mocoV2({ ...moco, batchNormGroups: 4 }),
  'MoCo v2 in one group': () => mocoV2({ ...moco, batchNormGroups: 1, headBatchNorm: true }),
  BYOL: () => byol({ ...head, views: [views, { ...views, solarize: 0.2 }], momentum: 0.9, classifier: true }),
  DINO: () =>
    dino({
      ...{ ...head, backbone: (dropPathRate) => vit({ ...small, depth: 2, dropPathRate }), dropPathRate: 0.2 },
      ...{ views: [views, views, { ...views, size: 16 }], bottleneckSize: 8, normLastLayer: true, batchNorm: true },
      ...{ frozenEpochs: 1, studentTemperature: 0.1, teacherTemperature: { from: 0.04, to: 0.07, epochs: 3 } },
      ...{ momentum: 0.9, centerMomentum: 0.9 },
    }),
  MAE: () =>
    mae({
      ...{ backbone: vit({ ...small, positions: 'fixed' }), views, maskRatio: 0.75, normalizeTargets: true },
      decoder: { width: 16, depth: 1, heads: 2 },
    }),
};

const losses = {};
for (const name of names) {
  const own = name === 'MAE' ? { optimizer: 'adamw' } : { optimizer: 'sgd', momentum: 0.9 };
  const batches = new BatchSource(await openShardDataset(folder), {
    ...{ batchSize: 16, key: key(1).fold('order'), imageSize: 32, balanced: name === 'Supervised', replica: replicas },
  });
  if (killed?.index === index && !(Number(process.env.PATHLAB_RESTART) > 0)) {
    const load = batches.load.bind(batches);
    batches.load = (step) => {
      if (step === killed.step) setTimeout(() => process.kill(process.pid, 'SIGKILL'), killed.milliseconds);
      return load(step);
    };
  }
  losses[name] = [];
  const { model } = await pretrain(methods[name](), {
    settings: {
      // One with which rounding is not magnified; with others SimCLR's statistics differ by up to 1e-4 after 20 steps.
      ...{ seed: 3, steps, learningRate: 0.01, weightDecay: 1e-4, warmup: 0.1, ...own },
      ...{ precision: 'float32', evaluationCrop: 1 },
    },
    ...{ batches, replicas },
    checkpoint: every && { folder: pathOf(run, 'checkpoints'), everySteps: every, identity: { code: 'this' } },
    onEvent: ({ kind, loss }) => void (kind === 'step' && losses[name].push(loss)),
  });
  if (index === 0) await writeSafetensors(pathOf(run, `${name}.safetensors`), { ...model.parameters, ...model.state });
}
await replicas.leave();
writeSync(1, `${JSON.stringify(losses)}\n`);
process.exit(0);

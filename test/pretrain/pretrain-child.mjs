// Pretrains a small network from a compiled dataset, with checkpoints and a log, as a notebook does. One argument, as JSON:
// folder (of the dataset), run (folder for checkpoints, log and weights), name (of a method), precision, memory (see BatchSource), killed (`step`:
// it kills itself so many `milliseconds` after that step). Tells each event, a line each.
import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { key } from '../../dist/base/index.js';
import { openShardDataset } from '../../dist/datasets/index.js';
import { writeSafetensors } from '../../dist/engine/index.js';
import { BatchSource } from '../../dist/input/index.js';
import { resnet, vit } from '../../dist/models/index.js';
import { byol, dino, mae, mocoV2, pretrain, simclr, supervised } from '../../dist/pretrain/index.js';
import { EventLog } from '../../dist/runs/index.js';

const { folder, run, name, precision, memory, killed } = JSON.parse(process.argv[2]);
const dataset = await openShardDataset(folder);
const log = await EventLog.open(join(run, 'events.jsonl'));
const backbone = resnet({ depth: 18, width: 0.125 });
const views = { size: 32, crop: { scale: [0.3, 1], ratio: [0.75, 1.33] } };
const head = { backbone, hiddenSize: 32, outputSize: 16 };
const small = { patchSize: 8, imageSize: 32, width: 32, depth: 2, heads: 2 };
const methods = {
  Supervised: () => supervised({ backbone, views, dropout: 0.4, labelSmoothing: 0.1, weighted: true }),
  SimCLR: () => simclr({ ...head, views, temperature: 0.2 }),
  'MoCo v2': () => mocoV2({ ...head, views, temperature: 0.2, momentum: 0.9, queueSize: 20, batchNormGroups: 2 }),
  BYOL: () => byol({ ...head, views: [views, { ...views, solarize: 0.2 }], momentum: 0.9, classifier: true }),
  DINO: () =>
    dino({
      ...{ ...head, backbone: (dropPathRate) => vit({ ...small, dropPathRate }), dropPathRate: 0.2 },
      ...{ views: [views, views, { ...views, size: 16 }], bottleneckSize: 8, normLastLayer: true, batchNorm: false },
      ...{ frozenEpochs: 1, studentTemperature: 0.1, teacherTemperature: { from: 0.04, to: 0.07, epochs: 3 } },
      ...{ momentum: 0.9, centerMomentum: 0.9 },
    }),
  MAE: () =>
    mae({
      ...{ backbone: vit({ ...small, positions: 'fixed' }), views, maskRatio: 0.75, normalizeTargets: true },
      decoder: { width: 16, depth: 1, heads: 2 },
    }),
};
const method = methods[name]();
const balanced = name === 'Supervised';
const own = ['DINO', 'MAE'].includes(name)
  ? { optimizer: 'adamw', learningRate: 1e-3, finalWeightDecay: 0.4 }
  : { optimizer: 'sgd' };
const settings = {
  ...{ seed: 1, steps: 30, learningRate: 0.1, warmup: 0.1, momentum: 0.9, weightDecay: 1e-6 },
  ...{ ...own, precision, evaluationCrop: 1 },
};
const { encoder } = await pretrain(method, {
  settings,
  batches: new BatchSource(dataset, { batchSize: 8, key: key(1).fold('order'), imageSize: 32, memory, balanced }),
  checkpoint: { folder: join(run, 'checkpoints'), everySteps: 5, identity: { code: 'this' }, log },
  onEvent: async ({ kind, step, loss }) => {
    await log.append({ kind, step, loss });
    writeSync(1, `${kind} ${step}\n`);
    if (kind === 'step' && step === killed?.step) {
      setTimeout(() => process.kill(process.pid, 'SIGKILL'), killed.milliseconds);
    }
  },
});
await writeSafetensors(join(run, 'weights.safetensors'), { ...encoder.model.parameters, ...encoder.model.state });

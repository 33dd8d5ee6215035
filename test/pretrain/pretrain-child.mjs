// Pretrains a small network from a compiled dataset, with checkpoints and a log, as a notebook does. One argument, as JSON:
// folder (of the dataset), run (folder for checkpoints, log and weights), precision, memory (see BatchSource), killed (`step`:
// it kills itself so many `milliseconds` after that step). Tells each event, a line each.
import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { key } from '../../dist/base/index.js';
import { openShardDataset } from '../../dist/datasets/index.js';
import { writeSafetensors } from '../../dist/engine/index.js';
import { BatchSource } from '../../dist/input/index.js';
import { resnet } from '../../dist/models/index.js';
import { pretrain, simclr } from '../../dist/pretrain/index.js';
import { EventLog } from '../../dist/runs/index.js';

const { folder, run, precision, memory, killed } = JSON.parse(process.argv[2]);
const dataset = await openShardDataset(folder);
const log = await EventLog.open(join(run, 'events.jsonl'));
const method = simclr({
  backbone: resnet({ depth: 18, width: 0.125 }),
  views: { size: 32, crop: { scale: [0.3, 1], ratio: [0.75, 1.33] } },
  hiddenSize: 32,
  outputSize: 16,
  temperature: 0.2,
});
const settings = {
  ...{ seed: 1, steps: 30, optimizer: 'sgd', learningRate: 0.1, warmup: 0.1, momentum: 0.9, weightDecay: 1e-6 },
  ...{ precision, evaluationCrop: 1 },
};
const { encoder } = await pretrain(method, {
  settings,
  batches: new BatchSource(dataset, { batchSize: 8, key: key(1).fold('order'), imageSize: 32, memory }),
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

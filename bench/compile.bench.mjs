// What compiling costs: the first call of a ResNet-50 training step (recording, TensorFlow's optimizer, its memory)
// beyond what later calls take, and what finding the recording again costs with that step's 431 tensors. It has no peer.

import { key } from '../dist/base/index.js';
import { compile, describeDevice, randomNormal, tf } from '../dist/engine/index.js';
import { resnet } from '../dist/models/index.js';
import { sgd, trainingStep } from '../dist/training/index.js';
import { classifierObjective } from './classifier-training.mjs';
import { reportValue } from './report.mjs';
import { median } from './worker.mjs';

const rounds = 3;
const calls = 30;
const random = key('compile');
const objective = classifierObjective({ backbone: resnet({ depth: 50 }), classes: 10 });
const optimizer = sgd({ momentum: 0.9 });
const trainStep = trainingStep(objective, optimizer);
const model = objective.initialize(random);
const tensors = { ...model, optimizer: optimizer.initialize(model.parameters) };
const batch = { images: randomNormal(random.fold('images'), [2, 64, 64, 3]), labels: tf.tensor1d([1, 2], 'int32') };
const scheduled = { learningRate: tf.scalar(0.1) };
const inputs = [tensors, batch, scheduled, random.fold('steps')];

async function timed(step) {
  const began = performance.now();
  tf.dispose(await step(...inputs));
  return performance.now() - began;
}

const first = [];
const later = [];
for (let round = 0; round < rounds; round++) {
  const step = compile(trainStep);
  const began = await timed(step);
  const rest = [];
  for (let call = 0; call < 4; call++) rest.push(await timed(step));
  later.push(median(rest));
  first.push(began - median(rest));
  step.dispose();
}

const trivial = compile(function trivialStep(_tensors, _batch, { learningRate }) {
  return learningRate.add(1);
});
await timed(trivial);
const hits = [];
for (let call = 0; call < calls; call++) hits.push(await timed(trivial));
trivial.dispose();

const device = describeDevice();
const leaves = [...Object.values(tensors), batch, scheduled].reduce((sum, part) => sum + Object.keys(part).length, 0);
reportValue('compile', {
  work: `a ResNet-50 training step (SGD with momentum, ${leaves} tensors) on ${device.name}, TensorFlow ${device.tensorflow}`,
  columns: { what: 'what', milliseconds: 'ms' },
  rows: [
    { what: 'first call, beyond a later one', milliseconds: median(first) },
    { what: 'a later call (batch 2, 64 px)', milliseconds: median(later) },
    { what: 'finding the recording, and one op', milliseconds: median(hits).toFixed(2) },
  ],
  value: median(first),
  unit: 'ms',
});

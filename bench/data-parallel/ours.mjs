// One of the processes that take SimCLR steps together in pathlab: the peer of bench/peers/torch_data_parallel.py, with the same
// protocol.
//
// Argument: JSON of the ResNet's depth, the batch of all processes together, the views' side in px, the projector's sizes, the
// temperature, the learning rate and the precision. Reads JSON a line: so many `steps`, and whether each process takes them
// `alone`, which then computes the same and waits for nobody. Answers a line of JSON with the ms that each step took.
import { createInterface } from 'node:readline';
import { selfSupervisedViews } from '../../dist/augment/index.js';
import { key } from '../../dist/base/index.js';
import { describeDevice, disposeTensors, randomNormal, tf } from '../../dist/engine/index.js';
import { resnet } from '../../dist/models/index.js';
import { simclr } from '../../dist/pretrain/index.js';
import { compiledStep, joinReplicas, sgd, trainingStep } from '../../dist/training/index.js';
import { aloneReplicas, countingReplicas } from '../counted-replicas.mjs';

const { depth, batch, size, hiddenSize, outputSize, temperature, learningRate, precision } = JSON.parse(
  process.argv[2],
);
const joined = await joinReplicas();
const { index, count } = joined;
const root = key('data-parallel');

const method = simclr({
  ...{ backbone: resnet({ depth }), views: selfSupervisedViews(size), hiddenSize, outputSize, temperature },
});
/** The method's, of views that are there already. */
const objective = {
  ...method,
  initialize: (key) => method.initialize(key, {}),
  schedules: undefined,
  loss: (model, { first, second }, context) => method.loss(model, { views: [first, second] }, context),
};
const optimizer = sgd({ momentum: 0.9 });
const counted = countingReplicas(joined);
const steps = Object.fromEntries(
  Object.entries({ joined: counted.replicas, alone: aloneReplicas(joined) }).map(([name, replicas]) => [
    name,
    compiledStep(trainingStep(objective, optimizer, { replicas }), { precision }),
  ]),
);

const draw = (name) => randomNormal(root.fold(name).fold(index), [batch / count, size, size, 3]);
const views = { first: draw('first'), second: draw('second') };
const scheduled = { learningRate: tf.scalar(learningRate) };
const model = objective.initialize(root.fold('weights'));
const weights = Object.values(model.parameters).reduce((sum, parameter) => sum + parameter.size, 0);
let tensors = { ...model, optimizer: optimizer.initialize(model.parameters) };
let done = 0;

async function takeStep(run) {
  const output = await run(tensors, views, scheduled, root.fold('steps').fold(done++));
  tensors = output.tensors;
  const [loss] = await output.metrics.loss.data();
  disposeTensors(output.metrics, output.squares);
  return loss;
}

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  const times = [];
  let loss;
  for (let step = 0; step < asked.steps; step++) {
    const began = performance.now();
    loss = await takeStep(asked.alone ? steps.alone : steps.joined);
    times.push(performance.now() - began);
  }
  const { tensorflow, tfjs } = describeDevice();
  console.log(
    JSON.stringify({
      ...{ times, loss, weights, ...counted.counts, peakMiB: process.resourceUsage().maxRSS / 1024 },
      version: `TensorFlow ${tensorflow}, tfjs ${tfjs}`,
    }),
  );
}
await joined.leave();
process.exit(0);

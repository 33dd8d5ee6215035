import { createInterface } from 'node:readline';
import { key } from '../dist/base/index.js';
import {
  autotuneConvolutions,
  ConvAlgorithms,
  compile,
  describeDevice,
  randomNormal,
  tf,
} from '../dist/engine/index.js';
import { trainingStep } from '../dist/training/index.js';

/**
 * A worker of compare-step.mjs: reads a number of training steps a line; answers a line of JSON with their times in ms, the
 * last loss and the peak memory. Its arguments are the precision, the batch, the images' side in px and the number of
 * classes; bench/peers/torch_training.py is the same in PyTorch.
 *
 * @param {(size: number, classes: number) => import('../dist/index.js').Objective} objectiveFor takes the images' side; the
 *   objective's batches are `images` and `labels`
 * @param {import('../dist/training/index.js').Optimizer} optimizer
 * @param {number} rate
 * @param {{pixels?: boolean}} [options] whether each pixel has a label, and not each image
 */
export async function serveTraining(objectiveFor, optimizer, rate, { pixels = false } = {}) {
  const [precision, ...numbers] = process.argv.slice(2);
  const [batch, size, classes] = numbers.map(Number);
  const random = key(1);
  const objective = objectiveFor(size, classes);
  const trainStep = trainingStep(objective, optimizer);
  const model = objective.initialize(random);
  let tensors = { ...model, optimizer: optimizer.initialize(model.parameters) };
  const images = randomNormal(random.fold('images'), [batch, size, size, 3]);
  const labelled = pixels ? [batch, size, size] : [batch];
  const count = labelled.reduce((one, other) => one * other);
  const labels = tf.tensor(
    Int32Array.from({ length: count }, (_, place) => place % classes),
    labelled,
    'int32',
  );
  const inputs = [{ images, labels }, { learningRate: tf.scalar(rate) }, random.fold('steps')];
  let step;
  /** Part of the first step, as PyTorch's compiling is of its. */
  async function prepare() {
    const forms = new ConvAlgorithms();
    await autotuneConvolutions(trainStep, [tensors, ...inputs], { forms, precision });
    return compile(trainStep, { precision, convAlgorithms: forms, donate: [0] });
  }

  async function runStep() {
    step ??= await prepare();
    const output = await step(tensors, ...inputs);
    tensors = output.tensors;
    const [loss] = await output.metrics.loss.data();
    for (const tensor of Object.values({ ...output.metrics, ...output.squares })) tensor.dispose();
    return loss;
  }

  for await (const line of createInterface({ input: process.stdin })) {
    const times = [];
    let loss = Number.NaN;
    for (let i = 0; i < Number(line); i++) {
      const began = performance.now();
      loss = await runStep();
      times.push(performance.now() - began);
    }
    const peakMiB = process.resourceUsage().maxRSS / 1024;
    const { tensorflow, tfjs } = describeDevice();
    console.log(JSON.stringify({ times, loss, peakMiB, version: `TensorFlow ${tensorflow}, tfjs ${tfjs}` }));
  }
}

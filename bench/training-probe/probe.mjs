// A small training with what a real one has (convolutions, batch norm, views of images, dropout, gather, AdamW or LARS,
// batches made ahead), for the campaigns that look at a training from outside: is it the same again, does it leak?
//
// Arguments: JSON with what `probe` takes. Run with --expose-gc. Answers one line of JSON.
import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import koffi from 'koffi';
import {
  adamw,
  applyViews,
  batchOrder,
  crossEntropy,
  dense,
  describeDevice,
  drawViewParameters,
  dropout,
  gather,
  gradients,
  imageNetColors,
  key,
  lars,
  normalize,
  randomNormal,
  randomUniform,
  resnet,
  simclrSettings,
  tf,
  train,
} from '../../dist/index.js';

/** Gives the pages that malloc keeps for later back, so that what is left is in use; undefined where libc has no such. */
function mallocTrim() {
  try {
    return koffi.load('libc.so.6').func('int malloc_trim(size_t)');
  } catch {
    return undefined;
  }
}

/**
 * @param {{steps: number, batch: number, side: number, width: number, precision: string, optimizer: 'adamw' | 'lars',
 *   watch: 'in use' | 'resident' | undefined}} settings with `watch`, memory is looked at after every ten steps: all
 *   that is resident, or what is in use of it
 */
async function probe({ steps, batch, side, width, precision, optimizer: optimizerName, watch }) {
  const root = key('training-probe');
  const backbone = resnet({ depth: 18, width });
  const optimizer = optimizerName === 'lars' ? lars({ trustCoefficient: 0.02 }) : adamw();
  const recipe = { ...simclrSettings({ scale: 'smoke' }).views, size: side };
  const count = 8 * batch;
  const images = randomUniform(root.fold('images'), [count, side, side, 3]);
  const labels = tf.tensor1d(
    Array.from({ length: count }, (_, row) => row % 4),
    'int32',
  );
  const order = batchOrder({ count, batchSize: batch, key: root.fold('order') });
  const trim = watch === 'in use' ? mallocTrim() : undefined;
  const seen = { steps: [], tensors: [], native: [], megabytes: [] };
  const { tensors, history } = await train({
    steps,
    random: root.fold('steps'),
    imagesPerStep: batch,
    precision,
    learningRate: () => 0.002,
    initialize: () => {
      const { parameters, state } = backbone.initialize(root.fold('backbone'));
      parameters['fc.weight'] = randomNormal(root.fold('fc'), [4, backbone.featureSize], 0, 0.02);
      parameters['fc.bias'] = tf.zeros([4]);
      return { parameters, state, optimizer: optimizer.initialize(parameters) };
    },
    batch: (step) => ({
      rows: tf.tensor1d(order.items(step), 'int32'),
      ...drawViewParameters(recipe, batch, { height: side, width: side }, root.fold('views').fold(step)),
    }),
    step: (current, { rows, ...parameters }, rate, random) => {
      const result = gradients(current.parameters, (weights) => {
        const views = normalize(applyViews(gather(images, rows), parameters, recipe), imageNetColors);
        const encoded = backbone.apply({ parameters: weights, state: current.state }, views, { training: true });
        const logits = dense(dropout(encoded.features, 0.2, random), weights['fc.weight'], weights['fc.bias']);
        return { loss: crossEntropy(logits, gather(labels, rows), { labelSmoothing: 0.1 }), extra: encoded.state };
      });
      const next = optimizer.update(current.parameters, result.gradients, current.optimizer, rate);
      return {
        tensors: { parameters: next.parameters, state: result.extra, optimizer: next.state },
        metrics: { loss: result.loss },
      };
    },
    onEvent: async ({ kind, step }) => {
      if (!watch || kind !== 'step' || step % 10 !== 0) return;
      await setImmediate();
      globalThis.gc();
      trim?.(0);
      seen.steps.push(step);
      seen.tensors.push(tf.memory().numTensors);
      seen.native.push(tf.backend().binding.getNumOfTensors());
      seen.megabytes.push(process.memoryUsage.rss() / 2 ** 20);
    },
  });
  const hash = createHash('sha256');
  for (const record of Object.values(tensors))
    for (const tensor of Object.values(record)) hash.update(tensor.dataSync());
  const losses = history.map(({ loss }) => loss);
  return { hash: hash.digest('hex'), firstLoss: losses[0], lastLoss: losses.at(-1), seen, device: describeDevice() };
}

console.log(JSON.stringify(await probe(JSON.parse(process.argv[2]))));

// A small training with what a real one has (convolutions, batch norm, views of images, dropout, gather, AdamW or LARS,
// batches made ahead), for the campaigns that look at a training from outside: is it the same again, does it leak?
//
// Arguments: JSON with what `probe` takes. Run with --expose-gc. Answers one line of JSON.
import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { applyViews, drawViewParameters, imageNetColors, normalize } from '../../dist/augment/index.js';
import { key } from '../../dist/base/index.js';
import { describeDevice, gather, randomUniform, tf } from '../../dist/engine/index.js';
import { smallViews } from '../../dist/experiments/index.js';
import { resnet } from '../../dist/models/index.js';
import { adamw, lars, train } from '../../dist/training/index.js';
import { classifierObjective } from '../classifier-training.mjs';
import { mallocTrim } from '../malloc-trim.mjs';

/**
 * @param {{steps: number, batch: number, side: number, width: number, precision: string, optimizer: 'adamw' | 'lars',
 *   watch: 'in use' | 'resident' | undefined}} settings with `watch`, memory is looked at after every ten steps: all
 *   that is resident, or what is in use of it
 */
async function probe({ steps, batch, side, width, precision, optimizer: optimizerName, watch }) {
  const root = key('training-probe');
  const backbone = resnet({ depth: 18, width });
  const optimizer = optimizerName === 'lars' ? lars({ trustCoefficient: 0.02 }) : adamw();
  const recipe = { ...smallViews, size: side };
  const count = 8 * batch;
  const images = randomUniform(root.fold('images'), [count, side, side, 3]);
  const labels = tf.tensor1d(
    Array.from({ length: count }, (_, row) => row % 4),
    'int32',
  );
  const rowsOf = (step) => {
    const generator = root.fold('order').fold(step).generator();
    const rows = Array.from({ length: batch }, () => generator.integer(count));
    return tf.tensor1d(rows, 'int32');
  };
  const trim = watch === 'in use' ? mallocTrim() : undefined;
  const seen = { steps: [], tensors: [], native: [], megabytes: [] };
  const losses = [];
  const { tensors } = await train({
    steps,
    key: root,
    imagesPerStep: batch,
    precision,
    optimizer,
    schedules: { learningRate: () => 0.002 },
    batch: (step) => ({
      rows: rowsOf(step),
      ...drawViewParameters(recipe, batch, { height: side, width: side }, root.fold('views').fold(step)),
    }),
    objective: classifierObjective({
      ...{ backbone, classes: 4, dropoutRate: 0.2, labelSmoothing: 0.1 },
      input: ({ rows, ...parameters }) => ({
        images: normalize(applyViews(gather(images, rows), parameters, recipe), imageNetColors),
        labels: gather(labels, rows),
      }),
    }),
    onEvent: async ({ kind, step, loss }) => {
      if (kind === 'step') losses.push(loss);
      if (!watch || kind !== 'step' || step % 10 !== 0) return;
      await setImmediate();
      globalThis.gc();
      trim?.();
      seen.steps.push(step);
      seen.tensors.push(tf.memory().numTensors);
      seen.native.push(tf.backend().binding.getNumOfTensors());
      seen.megabytes.push(process.memoryUsage.rss() / 2 ** 20);
    },
  });
  const hash = createHash('sha256');
  for (const record of Object.values(tensors))
    for (const tensor of Object.values(record)) hash.update(tensor.dataSync());
  return { hash: hash.digest('hex'), firstLoss: losses[0], lastLoss: losses.at(-1), seen, device: describeDevice() };
}

console.log(JSON.stringify(await probe(JSON.parse(process.argv[2]))));

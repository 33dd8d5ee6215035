// npm run campaign -- precision [STEPS]: does a training in bfloat16 and in float16 (with dynamic loss scaling) learn as
// one in float32? 200 steps by default of a small ResNet-18 that tells textures apart, from each of three seeds. The band: the mean of the last 50
// losses differs from float32's by at most 5 % of the first loss. Beside them, as a measure of what chance does, float32
// from weights that differ by a thousandth.

import { key } from '../dist/base/index.js';
import { gather, randomNormal, randomUniform, tf } from '../dist/engine/index.js';
import { resnet } from '../dist/models/index.js';
import { dynamicLossScaling, sgd, train } from '../dist/training/index.js';
import { writeCampaignResult } from './campaign-result.mjs';
import { classifierObjective } from './classifier-training.mjs';

const steps = Number(process.argv[2] ?? 200);
const window = 50;
if (!(Number.isInteger(steps) && steps >= 2 * window)) {
  console.error(`npm run campaign -- precision [STEPS]: at least ${2 * window} steps`);
  process.exit(1);
}
const band = 0.05;
const [batch, side, classes] = [16, 32, 4];
const seeds = [1, 2, 3];
const backbone = resnet({ depth: 18, width: 0.25 });

async function lossesIn(precision, seed, { perturbed = false } = {}) {
  const root = key('precision').fold(seed);
  /** A texture of each class, which noise of three times its size hides. */
  const textures = randomNormal(root.fold('textures'), [classes, side, side, 3]);
  const inner = sgd({ momentum: 0.9, weightDecay: 1e-4 });
  const scaled = precision === 'float16' ? dynamicLossScaling(inner) : undefined;
  const optimizer = scaled ?? inner;
  const classifier = classifierObjective({ backbone, classes, labelSmoothing: 0.1 });
  const losses = [];
  const { tensors } = await train({
    steps,
    key: root,
    imagesPerStep: batch,
    precision,
    optimizer,
    schedules: { learningRate: () => 0.01 },
    objective: {
      ...classifier,
      initialize(key) {
        const model = classifier.initialize(key);
        if (perturbed) model.parameters['conv1.weight'] = model.parameters['conv1.weight'].mul(1.001);
        return model;
      },
    },
    batch: (step) =>
      tf.tidy(() => {
        const own = root.fold('batch').fold(step);
        const labels = randomUniform(own.fold('labels'), [batch]).mul(classes).floor().toInt();
        const noise = randomNormal(own.fold('noise'), [batch, side, side, 3]);
        return { labels, images: gather(textures, labels).add(noise.mul(3)) };
      }),
    onEvent: ({ kind, loss }) => void (kind === 'step' && losses.push(loss)),
  });
  return {
    losses,
    lossScale: scaled?.lossScale(tensors.optimizer).dataSync()[0],
  };
}

const mean = (losses) => losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
/** Means of each 50 losses, by the step where they end. */
const means = (losses) =>
  Object.fromEntries(
    Array.from({ length: Math.floor(steps / window) }, (_, place) => {
      const end = steps - window * (Math.floor(steps / window) - 1 - place);
      return [end, mean(losses.slice(end - window, end))];
    }),
  );

const rows = [];
for (const seed of seeds) {
  const exact = await lossesIn('float32', seed);
  const end = mean(exact.losses.slice(-window));
  rows.push({ seed, precision: 'float32', first: exact.losses[0], means: means(exact.losses) });
  for (const [precision, options] of [['float32', { perturbed: true }], ['bfloat16'], ['float16']]) {
    const { losses, lossScale } = await lossesIn(precision, seed, options);
    const difference = (mean(losses.slice(-window)) - end) / exact.losses[0];
    const within = Math.abs(difference) < band;
    rows.push({ seed, precision, ...options, first: losses[0], means: means(losses), lossScale, difference, within });
    console.log(
      `seed ${seed}, ${precision}${options ? ' from other weights' : ''}: loss ${losses[0].toFixed(3)} to ` +
        `${mean(losses.slice(-window)).toFixed(3)}, float32's ${end.toFixed(3)}: ` +
        `${(100 * difference).toFixed(2)} % of the first loss`,
    );
  }
}
writeCampaignResult('precision', [steps], {
  about: `means of ${window} losses each of a ResNet-18 (width x 0.25, ${side} px, batch ${batch})`,
  band,
  rows,
});
const compared = rows.filter(({ precision, perturbed }) => precision !== 'float32' && !perturbed);
const well = compared.filter(({ within }) => within).length;
console.log(`precision: value ${well} of ${compared.length} trainings learn as float32 does`);
process.exitCode = well === compared.length ? 0 : 1;

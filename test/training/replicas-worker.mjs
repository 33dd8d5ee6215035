// One replica of replicas.test.ts. One argument, as JSON: index, addresses, timeoutSeconds, scenario, folder (for checkpoints).
// Writes what it found as a line of JSON.
import { writeSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { key } from '../../dist/base/index.js';
import { compile, joinCluster, tf } from '../../dist/engine/index.js';
import { replicasOf, sgd, train } from '../../dist/training/index.js';

const { index, addresses, timeoutSeconds, scenario, folder } = JSON.parse(process.argv[2]);
const replicas = replicasOf(joinCluster({ addresses, index, timeoutSeconds }), { packed: 6 });
const values = (tensor) => Array.from(tensor.dataSync());

/** Means of tensors in packs of 6 elements, and of one that is larger. */
async function mean() {
  const step = compile(function means(tensors) {
    return replicas.mean(tensors);
  });
  const tensors = {
    scalar: tf.scalar(index),
    matrix: tf.tensor2d([
      [index, 1],
      [2, -index],
    ]),
    large: tf.range(index, index + 8),
    row: tf.tensor1d([index, 3]),
  };
  const means = await step(tensors);
  let refused = '';
  try {
    replicas.mean({ counts: tf.scalar(1, 'int32') });
  } catch ({ message }) {
    refused = message;
  }
  const entries = Object.entries(means).map(([name, tensor]) => [name, [tensor.shape, values(tensor)]]);
  return { means: Object.fromEntries(entries), refused };
}

/** The first one works for longer than the timeout, and then fails. */
async function first() {
  const own = [];
  const result = await replicas.first(async () => {
    own.push(index);
    await setTimeout(2 * 1000 * timeoutSeconds);
    return 7;
  });
  const error = await replicas.first(() => Promise.reject(new Error('a full disk'))).catch(({ message }) => message);
  return { own, result, error, after: await replicas.first(async () => 8) };
}

/** The last one is asked to stop while step 4 is prepared; the first evaluates and tells. */
async function interrupt() {
  const stop = new AbortController();
  const events = [];
  const evaluated = [];
  const error = await train({
    ...{ replicas, steps: 40, imagesPerStep: 4, key: key(1), optimizer: sgd(), signal: stop.signal },
    schedules: { learningRate: () => 0.1 },
    batch(step) {
      if (step === 4 && index > 0) stop.abort();
      return { x: tf.fill([2, 1], step + index) };
    },
    objective: {
      initialize: () => ({ parameters: { weight: tf.scalar(1) }, state: { count: tf.scalar(0) } }),
      loss: ({ parameters, state }, { x }) => ({
        loss: x.mul(parameters.weight).sub(1).square().mean(),
        state: { count: state.count.add(1) },
      }),
    },
    monitors: [{ everySteps: 3, run: (_, step) => ({ score: evaluated.push(step) }) }],
    best: { metric: 'score' },
    checkpoint: { folder, everySteps: 100, identity: { code: 'this' } },
    onEvent: ({ kind, step, interrupted }) =>
      void events.push([kind, step, ...(interrupted === undefined ? [] : ['?'])]),
  }).catch(({ name, message }) => `${name}: ${message}`);
  return { error, events, evaluated };
}

/** Work of their own, of which the second one's takes longer than the timeout; then a training of 20 steps. */
async function cost() {
  const done = [];
  const own = await replicas.together(async () => {
    await setTimeout(2 * 1000 * timeoutSeconds * index);
    return done.push(index);
  });
  const values = await replicas.valuesOfAll(index + 0.5);
  const steps = [];
  await train({
    ...{ replicas, steps: 20, imagesPerStep: 4, key: key(1), optimizer: sgd() },
    schedules: { learningRate: () => 0.1 },
    batch: () => ({ x: tf.fill([2, 1], index) }),
    objective: {
      initialize: () => ({ parameters: { weight: tf.ones([5]) }, state: { all: tf.zeros([4, 3]) } }),
      loss: ({ parameters }, { x }, context) => ({
        loss: x.mul(parameters.weight).sub(1).square().mean(),
        state: { all: context.replicas.gather(tf.tile(x, [1, 3])) },
      }),
    },
    onEvent: (event) => void (event.kind === 'step' && steps.push(event)),
  });
  return { own, values, steps };
}

const result = await { mean, first, interrupt, cost }[scenario]();
await replicas.leave();
writeSync(1, `${JSON.stringify(result)}\n`);
process.exit(0);

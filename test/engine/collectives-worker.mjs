// One worker of collectives.test.ts. One argument, as JSON: index, addresses, timeoutSeconds, `scenario`, and `through`: memory, or
// gRPC, by which processes of several machines exchange. Writes what it found as a line of JSON.
import { createHash } from 'node:crypto';
import { writeSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { key } from '../../dist/base/index.js';
import {
  allGather,
  allReduce,
  batchNormTraining,
  compile,
  hasCustomOps,
  joinCluster,
  leaveCluster,
  normConv2d,
  randomNormal,
  randomUniform,
  randomUniformOfRows,
  sumOfProcesses,
  tf,
  withReplicaScope,
} from '../../dist/engine/index.js';

const { index, addresses, timeoutSeconds, scenario, through = 'memory' } = JSON.parse(process.argv[2]);
if (through === 'gRPC') process.env.PATHLAB_CUSTOM_OPS = 'off';
const { count } = joinCluster({ addresses, index, timeoutSeconds });
const values = (tensor) => Array.from(tensor.dataSync());
const hash = (tensor) => createHash('sha256').update(new Uint8Array(tensor.dataSync().buffer)).digest('hex');
const end = (result) => {
  writeSync(1, `${JSON.stringify(result)}\n`);
  process.exit(0);
};

/** Sums and gathers, eagerly and in a compiled step, with several collectives that depend on nothing of each other. */
async function exchange() {
  const rows = tf.tensor2d([
    [index, 10 * index],
    [index + 0.5, 1 - index],
  ]);
  const step = compile(function exchange(x) {
    const others = Array.from({ length: 8 }, (_, at) => allReduce(x.mul(at).sum()));
    return {
      gathered: allGather(x),
      sum: allReduce(x),
      others: tf.stack(others),
      whole: allReduce(tf.ones([2], 'int32')),
    };
  });
  const hashes = [];
  let compiled;
  for (let run = 0; run < 3; run++) {
    const noise = randomNormal(key(index).fold(run), [2, 1000]);
    hashes.push(hash((await step(noise)).sum));
    compiled = await step(rows);
  }
  const eager = { sum: values(allReduce(rows)), gathered: values(allGather(rows)) };
  const { gathered, sum, others, whole } = compiled;
  return {
    ...{ eager, hashes, shape: gathered.shape, host: await sumOfProcesses(index + 0.5), wrong: await wrongOfLarge() },
    compiled: { sum: values(sum), gathered: values(gathered), others: values(others), whole: values(whole) },
  };
}

/** Elements that are wrong in the sum and the gathered rows of tensors of several blocks, the last one not full. */
async function wrongOfLarge() {
  const length = 700_001;
  const numbers = (from) => tf.range(0, length).mod(1000).add(from);
  const step = compile(function large(x) {
    // A value of the step's own may be summed in its place.
    return { sum: allReduce(x), doubled: allReduce(x.mul(2)), gathered: allGather(x) };
  });
  const { sum, doubled, gathered } = await step(numbers(index));
  const whole = numbers(0)
    .mul(count)
    .add((count * (count - 1)) / 2);
  const all = tf.concat(addresses.map((_, at) => numbers(at)));
  const wrong = [sum.notEqual(whole), doubled.notEqual(whole.mul(2)), gathered.notEqual(all)];
  return wrong.map((found) => found.sum().dataSync()[0]);
}

/** Workers that call different collectives. */
async function differ() {
  let message = '';
  try {
    allReduce(tf.ones([3 + index]));
  } catch (error) {
    message = error.message;
  }
  return { message };
}

const statistics = { gather: allGather, sum: allReduce };
const asReplica = (rows, body) => withReplicaScope({ index, count, rows, statistics }, body);
const relativeError = (tensor, expected) => tensor.sub(expected).norm().div(expected.norm()).dataSync()[0];

/** `normalizeAs` for every kind of batch norm, by kind and name. */
async function normalize() {
  const kinds = { relu: { relu: true }, shortcut: { relu: true, adds: true }, sum: { adds: true }, plain: {} };
  const found = { errors: {}, hashes: [] };
  for (const [kind, options] of Object.entries(kinds)) {
    const { errors, hashes } = await normalizeAs(options);
    for (const [name, error] of Object.entries(errors)) found.errors[`${kind}, ${name}`] = error;
    found.hashes.push(...hashes);
  }
  return found;
}

/**
 * Batch norm of rows that are dealt unevenly, the second worker has none: its relative distance from batch norm of all rows
 * in one process.
 *
 * @param options.adds whether a shortcut is added
 */
async function normalizeAs({ relu = false, adds = false }) {
  const lengths = addresses.map((_, at) => (at === 1 ? 0 : 3 + at));
  const all = lengths.reduce((a, b) => a + b);
  const first = lengths.slice(0, index).reduce((a, b) => a + b, 0);
  const own = (tensor) => tensor.slice([first, 0, 0, 0], [lengths[index], -1, -1, -1]);
  const draw = (name, shape) => randomNormal(key('normalize').fold(name), shape);
  const x = draw('x', [all, 3, 2, 5]).mul(2).add(30);
  const [shortcut, weighting] = ['shortcut', 'weighting'].map((name) => draw(name, [all, 3, 2, 5]));
  const [weight, bias] = ['weight', 'bias'].map((name) => draw(name, [5]));
  const running = { mean: draw('mean', [5]), variance: tf.ones([5]) };
  const derive = (x, weight, bias, shortcut, weighting) => {
    const norm = (x, weight, bias, shortcut) =>
      batchNormTraining(x, { weight, bias }, running, { shortcut: adds ? shortcut : undefined, relu });
    const lossOf = (...given) =>
      norm(...given)
        .y.mul(weighting)
        .sum();
    const { grads } = tf.valueAndGrads(lossOf)([x, weight, bias, ...(adds ? [shortcut] : [])]);
    const { y, running: moved } = norm(x, weight, bias, shortcut);
    const [dx, dweight, dbias, dshortcut] = grads;
    return { y, ...moved, dx, dweight, dbias, ...(dshortcut && { dshortcut }) };
  };
  const whole = await compile(derive)(x, weight, bias, shortcut, weighting);
  const part = await compile((...given) => {
    const found = asReplica(lengths[index], () => derive(...given));
    return { ...found, dweight: allReduce(found.dweight), dbias: allReduce(found.dbias) };
  })(own(x), weight, bias, own(shortcut), own(weighting));
  const shared = ['mean', 'variance', 'dweight', 'dbias'];
  const names = Object.keys(part).filter((name) => shared.includes(name) || lengths[index] > 0);
  const expected = (name) => (shared.includes(name) ? whole[name] : own(whole[name]));
  return {
    errors: Object.fromEntries(names.map((name) => [name, relativeError(part[name], expected(name))])),
    hashes: [hash(part.mean), hash(part.variance)],
  };
}

/** As `normalize`, of a batch norm that is one with the convolution behind it; and random rows of two joined views. */
async function others() {
  const draw = (name, shape) => randomNormal(key('others').fold(name), shape);
  const x = draw('x', [2 * count, 4, 4, 3]);
  const own = (tensor) => tensor.slice([2 * index, 0, 0, 0], [2, -1, -1, -1]);
  const weight = draw('weight', [3, 3, 3, 2]);
  const norm = {
    parameters: { weight: tf.ones([3]), bias: tf.zeros([3]) },
    running: { mean: tf.zeros([3]), variance: tf.ones([3]) },
  };
  const convolve = (x) => normConv2d(x, norm, weight, { padding: 1 }).y;
  const seed = key('rows');
  const whole = randomUniform(seed, [2 * 2 * count, 3]);
  const ofViews = asReplica(2, () => randomUniformOfRows(seed, [4, 3]));
  const expected = tf.concat([0, 1].map((view) => whole.slice([2 * count * view + 2 * index, 0], [2, 3])));
  return {
    convolution: relativeError(
      asReplica(2, () => convolve(own(x))),
      own(convolve(x)),
    ),
    rows: relativeError(ofViews, expected),
  };
}

/** Errors of gradients of the sum of all workers' losses, relative to the gradient's size; one worker's rows move at a time. */
async function differentiate() {
  const distance = 2 ** -16;
  const draw = (name, shape) => randomNormal(key(index).fold(name), shape);
  const losses = {
    gather: (x, weighting) => allGather(x).square().mul(weighting).sum(),
    reduce: (x, weighting) =>
      allReduce(x.square())
        .mul(weighting.slice([0, 0], [2, 3]))
        .sum(),
    norm: (x, weighting) => {
      const running = { mean: tf.zeros([3]), variance: tf.ones([3]) };
      const parameters = { weight: tf.tensor1d([1, 2, 3]), bias: tf.zeros([3]) };
      const norm = () => batchNormTraining(x.reshape([2, 1, 1, 3]), parameters, running, { relu: true });
      return asReplica(2, norm)
        .y.reshape([2, 3])
        .mul(weighting.slice([0, 0], [2, 3]))
        .sum();
    },
  };
  // pathlab's ops of batch norm know no float64.
  if (hasCustomOps()) delete losses.norm;
  const errors = {};
  for (const [name, lossOf] of Object.entries(losses)) {
    const check = (x, weighting, direction) => {
      const { grad } = tf.valueAndGrad((x) => lossOf(x, weighting))(x);
      const numeric = addresses.map((_, moved) => {
        const at = (size) => allReduce(lossOf(x.add(direction.mul(moved === index ? size : 0)), weighting));
        return at(distance)
          .sub(at(-distance))
          .div(2 * distance);
      });
      return { analytic: grad.mul(direction).sum(), numeric: numeric[index], size: grad.norm() };
    };
    const checked = compile(check, { precision: 'float64' });
    const { analytic, numeric, size } = await checked(
      draw('x', [2, 3]),
      draw('weighting', [2 * count, 3]),
      draw('direction', [2, 3]),
    );
    const [found, expected, scale] = [analytic, numeric, size].map((tensor) => tensor.dataSync()[0]);
    errors[name] = Math.abs(found - expected) / scale;
  }
  return errors;
}

/** After three steps the last worker is killed, or stops; what the others then say, and after how many seconds. */
async function lose({ hang }) {
  const step = compile(function train(x) {
    return allReduce(x).add(1);
  });
  const x = tf.ones([1000]);
  for (let run = 0; run < 3; run++) await step(x);
  await sumOfProcesses(0);
  if (index === count - 1) {
    if (!hang) process.kill(process.pid, 'SIGKILL');
    await setTimeout(60_000);
  }
  const messages = [];
  const began = performance.now();
  for (const call of [() => step(x), () => sumOfProcesses(1), async () => allReduce(x)]) {
    await call().catch(({ message }) => messages.push(message));
  }
  return { messages, seconds: (performance.now() - began) / 1000 };
}

const scenarios = {
  exchange,
  normalize,
  others,
  differentiate,
  differ,
  die: () => lose({ hang: false }),
  hang: () => lose({ hang: true }),
};
const result = await scenarios[scenario]();
if (!['die', 'hang', 'differ'].includes(scenario)) await leaveCluster();
end(result);

// One worker of collectives.test.ts. One argument, as JSON: index, addresses, timeoutSeconds, and `scenario`. Writes what it
// found as a line of JSON.
import { createHash } from 'node:crypto';
import { writeSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { key } from '../../dist/base/index.js';
import {
  allGather,
  allReduce,
  barrier,
  compile,
  joinCluster,
  leaveCluster,
  randomNormal,
  tf,
} from '../../dist/engine/index.js';

const { index, addresses, timeoutSeconds, scenario } = JSON.parse(process.argv[2]);
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
    ...{ eager, hashes, shape: gathered.shape },
    compiled: { sum: values(sum), gathered: values(gathered), others: values(others), whole: values(whole) },
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
  };
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
  await barrier();
  if (index === count - 1) {
    if (!hang) process.kill(process.pid, 'SIGKILL');
    await setTimeout(60_000);
  }
  const messages = [];
  const began = performance.now();
  for (const call of [() => step(x), barrier, async () => allReduce(x)]) {
    await call().catch(({ message }) => messages.push(message));
  }
  return { messages, seconds: (performance.now() - began) / 1000 };
}

const scenarios = {
  exchange,
  differentiate,
  die: () => lose({ hang: false }),
  hang: () => lose({ hang: true }),
};
const result = await scenarios[scenario]();
if (scenario in { exchange, differentiate }) await leaveCluster();
end(result);

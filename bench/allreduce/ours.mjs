// One of the processes that sum a tensor in pathlab: the peer of bench/peers/torch_allreduce.py, with the same protocol.
//
// Reads JSON a line. {"elements"}: makes a tensor of so many, another in each process. {"at"}: sums it over all processes,
// beginning at that time of the machine's monotonic clock, ms, and then looks at every element. Answers a line of JSON: when the
// sum was there, `end`, and how many elements are `wrong`.
import { createInterface } from 'node:readline';
import { allReduce, compile, describeDevice, tf } from '../../dist/engine/index.js';
import { joinReplicas } from '../../dist/training/index.js';

const replicas = await joinReplicas();
const { index, count } = replicas;
const clock = () => Number(process.hrtime.bigint()) / 1e6;
const never = new Int32Array(new SharedArrayBuffer(4));
/** Every value is a whole number that float32 holds, so that sums are exact. */
const period = 1000;

/** Compiled anew for each size. */
const makeSum = () =>
  compile(function sum(x) {
    return { y: allReduce(x) };
  });
const countWrong = (x, y) =>
  tf.tidy(() => {
    const expected = x
      .sub(index)
      .mul(count)
      .add((count * (count - 1)) / 2);
    return y.notEqual(expected).sum().dataSync()[0];
  });

let x;
let sum;
async function sumAt(at) {
  Atomics.wait(never, 0, 0, Math.max(0, at - clock()));
  const { y } = await sum(x);
  const end = clock();
  const wrong = countWrong(x, y);
  y.dispose();
  return { end, wrong };
}

function prepare(elements) {
  x?.dispose();
  sum?.dispose();
  sum = makeSum();
  x = tf.tidy(() => tf.tile(tf.range(index, index + period), [elements / period]));
  const { tensorflow, tfjs } = describeDevice();
  return { version: `TensorFlow ${tensorflow}, tfjs ${tfjs}` };
}

for await (const line of createInterface({ input: process.stdin })) {
  const { elements, at } = JSON.parse(line);
  const answer = at === undefined ? prepare(elements) : await sumAt(at);
  console.log(JSON.stringify({ ...answer, peakMiB: process.resourceUsage().maxRSS / 1024 }));
}
await replicas.leave();
process.exit(0);

// SimCLR from shards to updated weights in pathlab: the peer of bench/peers/torch_simclr.py, with the same protocol.
//
// Argument: JSON with what `work` holds below. Reads a number of steps a line; answers a line of JSON with the ms that
// each took, the last loss, the number of weights and the peak memory.
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { InterruptedError, key } from '../../dist/base/index.js';
import { openShardDataset } from '../../dist/datasets/index.js';
import { ConvAlgorithms, describeDevice, tf } from '../../dist/engine/index.js';
import { BatchSource } from '../../dist/input/index.js';
import { resnet } from '../../dist/models/index.js';
import { pretrain, simclr } from '../../dist/pretrain/index.js';

const work = JSON.parse(process.argv[2]);
const method = simclr({
  backbone: resnet({ depth: work.depth }),
  views: work.recipe,
  hiddenSize: work.hidden,
  outputSize: work.outputs,
  temperature: work.temperature,
});
const weights = tf.tidy(() =>
  Object.values(method.initialize(key(1)).parameters).reduce((sum, { size }) => sum + size, 0),
);
// Without memory to hold them decoded, patches stream from the shards.
const batches = new BatchSource(await openShardDataset(work.folder), {
  batchSize: work.batch,
  key: key('pretrain-epoch'),
  bufferSize: 256,
  memory: 0,
});
const settings = {
  seed: 1,
  // More than anybody waits for: the training ends when the input does.
  epochs: 1e6,
  optimizer: 'sgd',
  learningRate: work.rate,
  warmup: 0,
  momentum: 0.9,
  weightDecay: 0,
  precision: work.precision,
  evaluationCrop: 1,
};

/** Steps at the beginning of a turn that do not count: of a batch that was made while nobody asked. */
const uncounted = 2;
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const stop = new AbortController();
let turn;
let began;

/** Waits until what is made ahead is there: it must not take the peer's cores when its turn comes. */
async function rest() {
  for (let used = Number.POSITIVE_INFINITY; used > 10_000; ) {
    const before = process.cpuUsage();
    await setTimeout(500);
    const { user, system } = process.cpuUsage(before);
    used = user + system;
  }
}

async function nextTurn() {
  const { value, done } = await lines.next();
  if (done) stop.abort();
  else turn = { steps: Number(value), left: uncounted + Number(value), times: [] };
}

async function onEvent({ kind, loss }) {
  if (kind !== 'step') return;
  if (turn) {
    turn.left--;
    if (turn.left < turn.steps) turn.times.push(performance.now() - began);
    if (turn.left === 0) {
      await rest();
      const { tensorflow, tfjs } = describeDevice();
      const version = `TensorFlow ${tensorflow}, tfjs ${tfjs}`;
      const peakMiB = process.resourceUsage().maxRSS / 1024;
      console.log(JSON.stringify({ times: turn.times, loss, weights, peakMiB, version }));
      await nextTurn();
    }
  } else {
    await nextTurn();
  }
  began = performance.now();
}

await pretrain(method, {
  ...{ settings, batches, onEvent },
  convAlgorithms: new ConvAlgorithms(),
  signal: stop.signal,
}).catch((error) => {
  if (!(error instanceof InterruptedError)) throw error;
});

// Pretraining from shards to updated weights in pathlab: the peer of bench/peers/torch_pretraining.py, with the same
// protocol.
//
// Argument: JSON with what `work` holds below. Reads a number of steps a line; answers a line of JSON with the ms that
// each took, the first and the last loss, the number of weights and the peak memory.
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { imageNetColors } from '../../dist/augment/index.js';
import { InterruptedError, key } from '../../dist/base/index.js';
import { openShardDataset } from '../../dist/datasets/index.js';
import { ConvAlgorithms, describeDevice, tf } from '../../dist/engine/index.js';
import { BatchSource } from '../../dist/input/index.js';
import { resnet, vit, vitSmall16 } from '../../dist/models/index.js';
import { byol, dino, mae, mocoV2, pretrain, simclr, supervised } from '../../dist/pretrain/index.js';

const work = JSON.parse(process.argv[2]);
const { views, options } = work;
const small = (own) => vit({ ...vitSmall16, colors: imageNetColors, ...own });
const makers = {
  supervised: () => supervised({ ...options, backbone: resnet({ depth: work.depth }), views: views[0] }),
  simclr: () => simclr({ ...options, backbone: resnet({ depth: work.depth }), views: views[0] }),
  mocov2: () => mocoV2({ ...options, backbone: resnet({ depth: work.depth }), views: views[0] }),
  byol: () => byol({ ...options, backbone: resnet({ depth: work.depth }), views }),
  dino: () => dino({ ...options, backbone: (dropPathRate) => small({ dropPathRate }), views }),
  mae: () => mae({ ...options, backbone: small({ positions: 'fixed' }), views: views[0] }),
};
const method = makers[work.method]();
// Without memory to hold them decoded, patches stream from the shards.
const batches = new BatchSource(await openShardDataset(work.folder), {
  batchSize: work.batch,
  key: key('pretraining'),
  bufferSize: 256,
  memory: 0,
});
const start = { labels: batches.labels, classNames: batches.dataset.classNames };
const weights = tf.tidy(() =>
  Object.values(method.initialize(key(1), start).parameters).reduce((sum, { size }) => sum + size, 0),
);
const settings = {
  ...work.settings,
  seed: 1,
  // More than anybody waits for: the training ends when the input does.
  epochs: 1e6,
  steps: undefined,
  warmup: 0,
  precision: work.precision,
  evaluationCrop: 1,
};

/** Steps at the beginning of a turn that do not count: of a batch that was made while nobody asked. */
const uncounted = 2;
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const stop = new AbortController();
let turn;
let began;
let firstLoss;

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
  firstLoss ??= loss;
  if (turn) {
    turn.left--;
    if (turn.left < turn.steps) turn.times.push(performance.now() - began);
    if (turn.left === 0) {
      await rest();
      const { tensorflow, tfjs } = describeDevice();
      const version = `TensorFlow ${tensorflow}, tfjs ${tfjs}`;
      const peakMiB = process.resourceUsage().maxRSS / 1024;
      console.log(JSON.stringify({ times: turn.times, firstLoss, loss, weights, peakMiB, version }));
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

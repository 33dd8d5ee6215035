// Batches from shards in pathlab: the peer of bench/peers/webdataset_loader.py, with the same protocol.
//
// Arguments: folder of shards, batch, side of the views in px. Reads a number of batches a line; answers a line of JSON
// with the ms that each took to come and the peak memory.
import { createInterface } from 'node:readline';
import { applyViews, drawViewParameters } from '../../dist/augment/index.js';
import { key } from '../../dist/base/index.js';
import { openShardDataset } from '../../dist/datasets/index.js';
import { compile, describeDevice, disposeTensors } from '../../dist/engine/index.js';
import { BatchSource } from '../../dist/input/index.js';

const [folder, ...numbers] = process.argv.slice(2);
const [batchSize, size] = numbers.map(Number);
const dataset = await openShardDataset(folder);
const image = { height: dataset.size, width: dataset.size };
const recipe = {
  size,
  crop: { scale: [0.8, 1], ratio: [3 / 4, 4 / 3] },
  flips: { horizontal: 0.5, vertical: 0.5 },
};
const root = key('loader');
// Without memory to hold them decoded, patches stream from the shards.
const source = new BatchSource(dataset, { batchSize, key: root, bufferSize: 256, memory: 0 });
const makeViews = compile(function makeViews(loaded, parameters) {
  return applyViews(source.decode(loaded).images, parameters, recipe);
});

let step = 0;
async function nextViews() {
  const number = step++;
  const loaded = await source.load(number);
  const parameters = drawViewParameters(recipe, batchSize, image, root.fold(number));
  try {
    return await makeViews(loaded, parameters);
  } finally {
    disposeTensors(loaded, parameters);
  }
}

// Two batches are being made while one is used, so that every core has work while the last images of a batch decode.
const ahead = [nextViews(), nextViews()];
async function take() {
  ahead.push(nextViews());
  return ahead.shift();
}

for await (const line of createInterface({ input: process.stdin })) {
  const times = [];
  // What was made while nobody asked does not count.
  for (let made = ahead.length; made > 0; made--) (await take()).dispose();
  for (let batch = 0; batch < Number(line); batch++) {
    const began = performance.now();
    const views = await take();
    if (String(views.shape) !== String([batchSize, size, size, 3])) throw new Error(`a batch is [${views.shape}]`);
    views.dispose();
    times.push(performance.now() - began);
  }
  // What is made ahead must not take the peer's cores when its turn comes.
  await Promise.all(ahead);
  const peakMiB = process.resourceUsage().maxRSS / 1024;
  const { tensorflow, tfjs } = describeDevice();
  console.log(JSON.stringify({ times, peakMiB, version: `TensorFlow ${tensorflow}, tfjs ${tfjs}` }));
}

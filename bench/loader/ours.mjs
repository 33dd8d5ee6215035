// Batches of views from shards in pathlab: the peer of bench/peers/webdataset_loader.py, and of torch_pretraining.py where
// that makes views alone, with the same protocol.
//
// Argument: JSON of a folder of shards, the batch, the recipes of an image's views and, where they are normalized, the colors.
// Reads a number of batches a line; answers a line of JSON with the ms that each took to come and the peak memory.
import { createInterface } from 'node:readline';
import { applyViews, normalize } from '../../dist/augment/index.js';
import { key } from '../../dist/base/index.js';
import { openShardDataset } from '../../dist/datasets/index.js';
import { compile, describeDevice, disposeTensors, subTensors } from '../../dist/engine/index.js';
import { BatchSource } from '../../dist/input/index.js';
import { drawViews } from '../../dist/pretrain/index.js';

const { folder, batch: batchSize, views: recipes, colors } = JSON.parse(process.argv[2]);
const dataset = await openShardDataset(folder);
const root = key('loader');
// Without memory to hold them decoded, patches stream from the shards.
const source = new BatchSource(dataset, { batchSize, key: root, bufferSize: 256, memory: 0 });
const makeViews = compile(function makeViews(loaded, parameters) {
  const { images } = source.decode(loaded);
  const views = recipes.map((recipe, at) => {
    const view = applyViews(images, subTensors(parameters, `view${at}.`), recipe);
    return [`view${at}`, colors ? normalize(view, colors) : view];
  });
  return Object.fromEntries(views);
});

let step = 0;
async function nextViews() {
  const number = step++;
  const loaded = await source.load(number);
  const parameters = drawViews(recipes, source, root.fold(number));
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
  for (let made = ahead.length; made > 0; made--) disposeTensors(await take());
  for (let batch = 0; batch < Number(line); batch++) {
    const began = performance.now();
    const views = await take();
    for (const [at, { size }] of recipes.entries()) {
      const { shape } = views[`view${at}`];
      if (String(shape) !== String([batchSize, size, size, 3])) throw new Error(`views are [${shape}]`);
    }
    disposeTensors(views);
    times.push(performance.now() - began);
  }
  // What is made ahead must not take the peer's cores when its turn comes.
  await Promise.all(ahead);
  const peakMiB = process.resourceUsage().maxRSS / 1024;
  const { tensorflow, tfjs } = describeDevice();
  console.log(JSON.stringify({ times, peakMiB, version: `TensorFlow ${tensorflow}, tfjs ${tfjs}` }));
}

// Features of images in pathlab, timed: the peer of bench/peers/torch_inference.py. Its arguments are the precision, the
// network's name, the batch and the images' side in px; a number of passes a line in, a line of JSON out.
import { createInterface } from 'node:readline';
import { key } from '../../dist/base/index.js';
import { compile, describeDevice, randomNormal } from '../../dist/engine/index.js';
import { backbone } from '../../dist/models/index.js';

const [precision, name, ...numbers] = process.argv.slice(2);
const [batch, size] = numbers.map(Number);
const network = backbone(name);
const model = network.initialize(key(1));
const images = randomNormal(key(2), [batch, size, size, 3]);
const features = compile((model, images) => network.apply(model, images, { training: false }).features, { precision });

for await (const line of createInterface({ input: process.stdin })) {
  const times = [];
  let shape;
  for (let pass = 0; pass < Number(line); pass++) {
    const began = performance.now();
    const output = await features(model, images);
    await output.data();
    times.push(performance.now() - began);
    shape = output.shape;
    output.dispose();
  }
  const peakMiB = process.resourceUsage().maxRSS / 1024;
  const { tensorflow, tfjs } = describeDevice();
  console.log(JSON.stringify({ times, shape, peakMiB, version: `TensorFlow ${tensorflow}, tfjs ${tfjs}` }));
}

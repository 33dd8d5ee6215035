// Segmentation of slides in pathlab, timed: the peer of bench/peers/torch_slide.py. Its arguments are the precision, the
// window's side in px, the share that windows have in common, the batch, the output and, where the weights are to be written
// for the peer, their file. A line in is a slide's path, one out its milliseconds.
import { createInterface } from 'node:readline';
import { describeDevice, writeSafetensors } from '../../dist/engine/index.js';
import { segmentSlide } from '../../dist/finetune/index.js';
import { openSlide } from '../../dist/slides/index.js';
import { classes, network } from './network.mjs';

const [precision, pixels, overlap, batchSize, output, weights] = process.argv.slice(2);
const { predict, torchWeights } = network();
if (weights) await writeSafetensors(weights, torchWeights());

for await (const path of createInterface({ input: process.stdin })) {
  const slide = await openSlide(path);
  const geometry = { micrometers: Number(pixels) * slide.mpp, pixels: Number(pixels) };
  const began = performance.now();
  const { windows } = await segmentSlide(slide, predict, {
    ...{ classes, geometry, overlap: Number(overlap), batchSize: Number(batchSize), precision },
    ...{ tissue: null, files: { labels: output } },
  });
  const ms = performance.now() - began;
  await slide.close();
  const { tensorflow, tfjs } = describeDevice();
  console.log(JSON.stringify({ ms, windows, version: `TensorFlow ${tensorflow}, tfjs ${tfjs}` }));
}

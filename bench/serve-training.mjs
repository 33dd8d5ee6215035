import { createInterface } from 'node:readline';
import { describeDevice } from '../dist/index.js';

/**
 * The protocol of a benchmark's worker: reads a number of steps a line; answers a line of JSON with their times in ms,
 * the last loss and the peak memory.
 *
 * @param {() => Promise<number>} step runs one step and gives its loss
 */
export async function serveSteps(step) {
  for await (const line of createInterface({ input: process.stdin })) {
    const times = [];
    let loss = Number.NaN;
    for (let i = 0; i < Number(line); i++) {
      const began = performance.now();
      loss = await step();
      times.push(performance.now() - began);
    }
    const peakMiB = process.resourceUsage().maxRSS / 1024;
    const { tensorflow, tfjs } = describeDevice();
    console.log(JSON.stringify({ times, loss, peakMiB, version: `TensorFlow ${tensorflow}, tfjs ${tfjs}` }));
  }
}

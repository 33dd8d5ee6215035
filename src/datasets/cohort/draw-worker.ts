import { parentPort } from 'node:worker_threads';
import { writeSection } from '../../slides/index.js';
import type { DrawAnswer, DrawJob } from './draw-pool.js';

/** A thread that draws one section after another. */
parentPort!.on('message', async ({ section, files }: DrawJob) => {
  let answer: DrawAnswer;
  try {
    answer = { written: await writeSection(section, files) };
  } catch (error) {
    answer = { error: (error as Error).message };
  }
  parentPort!.postMessage(answer);
});

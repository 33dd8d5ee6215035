import { interruptSignal } from '../base/index.js';
import {
  type PretrainExperiment,
  type PretrainingCost,
  type PretrainingData,
  pretrainingCost,
} from '../experiments/index.js';
import { duration } from './progress.js';
import { display, html } from './show.js';

/** Measures (see `pretrainingCost`) and shows what a pretraining will cost. */
export async function showPretrainingCost(experiment: PretrainExperiment, data: PretrainingData): Promise<void> {
  const words = costInWords(await pretrainingCost(experiment, data, { signal: interruptSignal() }));
  await display(html(`<p><strong>Before the first step:</strong> ${words}</p>`));
}

/** What `showPretrainingCost` says. */
export function costInWords(cost: PretrainingCost): string {
  const { steps, secondsPerStep, hours, evaluations, evaluatedPatches, evaluationHours } = cost;
  const count = (number: number) => number.toLocaleString('en');
  const gibibytes = (number: number) => `${number.toFixed(1)} GiB`;
  const each = Number.isNaN(secondsPerStep) ? 'not measured' : duration(secondsPerStep);
  const long = (hours: number) => (hours < 1 ? duration(3600 * hours) : `${hours.toFixed(1)} hours`);
  const memory =
    cost.gpuGibibytes === undefined
      ? `the three steps took at most ${gibibytes(cost.stepGibibytes)} of it, which is an estimate of the GPU memory that they ` +
        'would need: no GPU was measured.'
      : `it holds ${gibibytes(cost.gpuGibibytes)} of the GPU.`;
  return (
    `${count(steps)} steps, ${each} each as measured in three steps here: ` +
    `${Number.isNaN(hours) ? 'not known' : long(hours)} in all. ` +
    `${count(evaluations)} evaluations of ${count(evaluatedPatches)} patches each come to it: about ${long(evaluationHours)}. ` +
    `This process has held up to ${gibibytes(cost.peakGibibytes)}; ${memory}`
  );
}

import { disposeTensors, heldGpuGibibytes } from '../engine/index.js';
import { FeatureExtractor } from '../evaluate/index.js';
import { measureCost, type TrainingCost, untrainedEncoder } from '../pretrain/index.js';
import type { PretrainExperiment } from './pretrain.js';
import type { PretrainingData } from './pretraining-data.js';
import { stepsBetweenEvaluations } from './watching.js';

/** Estimated cost of a pretraining with its evaluations. */
export interface PretrainingCost extends TrainingCost {
  /** How many evaluations there will be, and of how many patches each. */
  evaluations: number;
  evaluatedPatches: number;
  /** Of all of them, h: the time to extract the features of so many patches. */
  evaluationHours: number;
  /** What the measured steps added to this process, GiB, at most. */
  stepGibibytes: number;
  /** What this process holds of the GPU after them, GiB; undefined without a GPU. */
  gpuGibibytes: number | undefined;
}

/**
 * Runs three steps of a pretraining and extracts the features of a batch of held-out patches twice, of which the second is
 * timed; all is discarded.
 */
export async function pretrainingCost(
  experiment: PretrainExperiment,
  data: Pick<PretrainingData, 'train' | 'watched' | 'viewed'>,
  { signal }: { signal?: AbortSignal } = {},
): Promise<PretrainingCost> {
  const { method, settings } = experiment;
  const { train, watched, viewed } = data;
  const before = process.memoryUsage.rss() / 2 ** 30;
  const training = await measureCost(method, { settings, batches: train, signal });
  const stepGibibytes = Math.max(0, training.peakGibibytes - before);
  const gpuGibibytes = heldGpuGibibytes();
  const { backbone, model, view } = untrainedEncoder(method, { settings, batches: train });
  const extractor = new FeatureExtractor(backbone, view);
  let seconds = 0;
  try {
    for (let time = 0; time < 2; time++) {
      const began = performance.now();
      await extractor.extract(model, viewed, { signal });
      seconds = (performance.now() - began) / 1000;
    }
  } finally {
    extractor.dispose();
    disposeTensors(model.parameters, model.state);
  }
  const evaluations = 1 + Math.ceil(training.steps / stepsBetweenEvaluations(experiment, data));
  // Of some, two views.
  const evaluatedPatches = watched.heldOut.count + (watched.bank?.count ?? 0) + 2 * viewed.count;
  const evaluationHours = (evaluations * evaluatedPatches * seconds) / viewed.count / 3600;
  return { ...training, evaluations, evaluatedPatches, evaluationHours, stepGibibytes, gpuGibibytes };
}

import { projectRoot } from '../base/index.js';
import { weightsHistory } from '../experiments/index.js';
import { initialFilesOf } from '../report/index.js';
import { encoderOf, experimentOf, type FinishedRun, requireUnchanged } from './finished-run.js';
import type { Exported } from './model-card.js';

/** The backbone of a pretraining run. */
export async function pretrainedExport(run: FinishedRun): Promise<Exported> {
  await requireUnchanged(run, 'backbone.safetensors');
  const experiment = experimentOf(run);
  const model = await encoderOf(run, experiment);
  const { method, settings } = experiment;
  const { name, featureSize } = model.backbone;
  return {
    ...{ experiment, model },
    words: {
      tags: ['feature-extraction'],
      title: `${name}, pretrained with ${method.name}`,
      about: `Features of patches of pathology slides: ${featureSize} numbers for an image.`,
      made: [],
      firstWeights: initialFilesOf(run.weights),
      trainings: weightsHistory(settings.init ?? 'random', projectRoot),
      measured: 'Measured when the training had ended.',
      use: 'Features for research on pathology patches: nearest neighbors, linear probes, the start of a fine-tuning.',
      limits: ['Its metrics are from one run with one seed.'],
    },
  };
}

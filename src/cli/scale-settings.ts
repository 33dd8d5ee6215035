import {
  fineTuneExperiment,
  isFineTuning,
  isPretraining,
  type PretrainRecipe,
  pretrainExperiment,
} from '../experiments/index.js';

/** Each scale's defaults, for notebooks that train. */
export function scaleSettings(notebook: string): string[] {
  const lines = (['smoke', 'demo', 'paper'] as const).flatMap((scale) => {
    if (isPretraining(notebook)) {
      const experiment = pretrainExperiment(notebook, { scale });
      return [`  ${scale}: ${trainingDefaults(experiment)}, neighbors ${experiment.neighbors}`];
    }
    if (!isFineTuning(notebook)) return [];
    const experiment = fineTuneExperiment(notebook, { scale });
    return [`  ${scale}: ${trainingDefaults(experiment)}, folds ${experiment.folds}, seeds ${experiment.seeds}`];
  });
  if (lines.length === 0) return [];
  return ['', 'Defaults of each scale:', ...lines];
}

function trainingDefaults({
  settings: { epochs, steps, learningRate, precision },
  batchSize,
}: Pick<PretrainRecipe, 'settings' | 'batchSize'>): string {
  const length = epochs === undefined ? `${steps} steps` : `epochs ${epochs}`;
  return `${length}, batchSize ${batchSize}, learningRate ${learningRate}, precision ${precision}`;
}

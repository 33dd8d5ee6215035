export {
  type CompileExperiment,
  type CompileParameters,
  compileExperiment,
  compileFacts,
  type ExperimentDataset,
  experimentDataset,
} from './compile-datasets.js';
export {
  isPretraining,
  type PretrainExperiment,
  type PretrainParameters,
  pretrainExperiment,
} from './pretrain.js';
export type { PretrainRecipe, Scale } from './pretrain-recipe.js';
export { type PretrainingData, pretrainingData } from './pretraining-data.js';
export { smallViews } from './small-scale.js';

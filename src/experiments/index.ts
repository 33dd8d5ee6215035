export {
  type CompileExperiment,
  type CompileParameters,
  compileExperiment,
  compileFacts,
  type ExperimentDataset,
  experimentDataset,
} from './compile-datasets.js';
export {
  type PretrainExperiment,
  type PretrainParameters,
  type PretrainRecipe,
  pretrainExperiment,
  type Scale,
} from './pretrain.js';
export { simclrExperiment, simclrMethod } from './pretrain-simclr.js';
export { type PretrainingData, pretrainingData } from './pretraining-data.js';

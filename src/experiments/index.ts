export {
  type CompileExperiment,
  type CompileParameters,
  compileExperiment,
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

export {
  type CompileExperiment,
  type CompileParameters,
  compileExperiment,
  type ExperimentDataset,
  experimentDataset,
} from './compile-datasets.js';
export {
  type Scale,
  type SimclrExperiment,
  type SimclrParameters,
  simclrExperiment,
  simclrSettings,
} from './pretrain-simclr.js';

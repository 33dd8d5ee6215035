export { drawViews, type Method, objectiveOf, type ViewBatch } from './method.js';
export { ntXent } from './nt-xent.js';
export {
  measureCost,
  type Pretrained,
  type PretrainOptions,
  type PretrainSettings,
  pretrain,
  pretrainedEncoder,
  type TrainingCost,
  trainingSteps,
  untrainedEncoder,
} from './pretrain.js';
export { type SimclrOptions, simclr } from './simclr.js';

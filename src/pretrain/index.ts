export { type ByolOptions, byol, byolLoss } from './byol.js';
export { type DinoOptions, dino } from './dino.js';
export { dinoLoss } from './dino-loss.js';
export { infoNce } from './info-nce.js';
export { initialWeights } from './initial-weights.js';
export { type MaeOptions, mae } from './mae.js';
export { maeLoss, patchify, patchStatistics, randomMask, unpatchify } from './mae-loss.js';
export {
  type AnyMethod,
  drawViews,
  type Method,
  type MethodStart,
  objectiveOf,
  type TrainingLength,
  type ViewBatch,
} from './method.js';
export { type MocoV2Options, mocoV2 } from './mocov2.js';
export { ntXent } from './nt-xent.js';
export type { OptimizerSettings } from './optimizer-settings.js';
export {
  measureCost,
  pretrain,
  pretrainedEncoder,
  type TrainingCost,
  trainingSteps,
  untrainedEncoder,
} from './pretrain.js';
export type { DividedTraining, Pretrained, PretrainOptions, PretrainSettings } from './pretrain-options.js';
export { SharedStep } from './shared-step.js';
export { type SimclrOptions, simclr } from './simclr.js';
export { type SupervisedOptions, supervised } from './supervised.js';

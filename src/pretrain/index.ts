export { ntXent } from './nt-xent.js';
export {
  type FrozenBackbone,
  type PretrainedBackbone,
  type PretrainSimclrOptions,
  pretrainSimclr,
  randomBackbone,
  type SimclrSettings,
  simclrStep,
  simclrSteps,
} from './simclr.js';

export {
  type Scale,
  type SimclrExperiment,
  type SimclrParameters,
  simclrExperiment,
  simclrSettings,
} from './pretrain-simclr.js';

import { bitHyperRule } from '../finetune/index.js';
import { type FineTuneProtocol, paperProtocol } from './finetune-recipe.js';

const { settings, ...others } = paperProtocol;
const { resetBatchNorm, precision } = settings;

const byName = {
  paper: { ...others, settings },
  bit: {
    ...others,
    warmupEpochs: undefined,
    settings: { ...bitHyperRule(others.batchSize), resetBatchNorm, precision },
  },
  layerwise: { ...others, settings: { ...settings, layerDecay: 0.75 } },
};

/** The settings of a protocol at paper scale, and its name. */
export const protocolOf = (protocol: FineTuneProtocol) => ({ ...byName[protocol], protocol });

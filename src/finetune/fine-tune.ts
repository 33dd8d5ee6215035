import type { Monitor } from '../evaluate/index.js';
import { type AnyMethod, type Pretrained, type PretrainOptions, pretrain } from '../pretrain/index.js';
import type { Predictor } from './predict.js';

export interface FineTuneOptions extends Omit<PretrainOptions, 'best' | 'monitors' | 'processes' | 'divide'> {
  monitors?: readonly Monitor[];
  /**
   * Stops early and keeps the best model by a monitor's metric on validation patches, higher ones better unless `lowest`;
   * needs `checkpoint`. Without it all steps are done, and the last model is the result.
   */
  earlyStop?: { metric: string; lowest?: boolean; patience: number };
}

export interface FineTuned extends Pretrained {
  predictor: Predictor;
}

/**
 * Fine-tunes a network for a supervised method, `supervised` or `segmentation`, from the weights that `settings.init` names.
 * It is `pretrain` of that method: the same step, batches, checkpoints, log and identity.
 *
 * @throws TypeError for a method without classes
 */
export async function fineTune(method: AnyMethod, { earlyStop, ...options }: FineTuneOptions): Promise<FineTuned> {
  if (!method.predict) throw new TypeError(`${method.name} learns without classes: fine-tune with a supervised method`);
  const trained = await pretrain(method, { ...options, best: earlyStop && { ...earlyStop, restore: true } });
  return { ...trained, predictor: { method, model: trained.model, view: trained.encoder.view } };
}

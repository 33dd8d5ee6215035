import type { Backbone } from '../models/index.js';
import type { AnyMethod, PretrainSettings } from '../pretrain/index.js';

export type Scale = 'smoke' | 'demo' | 'paper';

/** A pretraining method at a scale. */
export interface PretrainRecipe {
  method: AnyMethod;
  settings: Omit<PretrainSettings, 'seed'>;
  batchSize: number;
  /** Minimum decoded size of patches, px. */
  imageSize: number;
  /** Draws every class equally often; see `BatchSource`. */
  balanced?: boolean;
}

/**
 * A pretraining notebook's recipe at each scale, with its own backbone, side of views, px (of several, the largest), and length
 * in epochs, unless others are given. A method may refuse a backbone. The paper's scale fits what depends on the length to it;
 * the small ones are made for their own, and take shares of any other.
 */
export type PretrainRecipes = Readonly<
  Record<Scale, (backbone?: Backbone, size?: number, epochs?: number) => PretrainRecipe>
>;

import { interruptSignal } from '../base/index.js';
import { type Encoder, FeatureExtractor, type Features } from '../evaluate/index.js';
import type { PretrainingData } from '../experiments/index.js';

/** Features of a pretrained backbone, which the figures and tables of a page share. */
export interface EvaluatedFeatures {
  /** Of the patches of the training split that held-out ones are compared with, in their order. */
  known: Features;
  /** Of the held-out patches. */
  heldOut: Features;
}

/** Extracts what `compareWithBaselines`, `showNearest` and `showFeatureMap` take. */
export async function evaluatedFeatures(
  { backbone, model, view }: Encoder,
  { known, heldOut }: Pick<PretrainingData, 'known' | 'heldOut'>,
): Promise<EvaluatedFeatures> {
  const extractor = new FeatureExtractor(backbone, view);
  const signal = interruptSignal();
  try {
    return {
      known: await extractor.extract(model, known, { signal }),
      heldOut: await extractor.extract(model, heldOut, { signal }),
    };
  } finally {
    extractor.dispose();
  }
}

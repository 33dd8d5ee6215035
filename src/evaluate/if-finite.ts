import { areFinite, type Features } from './features.js';

type Measure = (features: readonly Features[]) => Promise<Record<string, number>>;

/**
 * A measure of features that finds NaN where a feature is not finite: a monitor must not end the training that it looks at.
 *
 * @param metrics names of what the measure finds
 */
export function ifFinite(metrics: readonly string[], measure: Measure): Measure {
  return async (features) =>
    features.every(areFinite)
      ? measure(features)
      : Object.fromEntries(metrics.map((metric) => [metric, Number.NaN] as const));
}

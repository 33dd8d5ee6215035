export { embeddingDeviation, rankMe } from './collapse.js';
export { colorHistogramFeatures } from './color-histogram.js';
export { type EmbeddingMapOptions, embeddingMap } from './embedding.js';
export { type ExtractOptions, extractFeatures, type Features, type Patches } from './features.js';
export {
  type BootstrapOptions,
  clusterBootstrapInterval,
  type Interval,
  pairedDifferenceInterval,
  wilsonInterval,
} from './intervals.js';
export { type KnnOptions, type KnnResult, knnClassify, type LabeledPatches, onlineKnn } from './knn.js';
export { balancedAccuracy, confusionMatrix, topOneAccuracy } from './metrics.js';
export {
  type ClassGap,
  type ColorQuestion,
  type SiteLeakage,
  type SiteLeakageOptions,
  siteLeakage,
} from './site-leakage.js';

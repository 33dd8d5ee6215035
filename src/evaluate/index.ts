export { alignment, uniformity } from './alignment.js';
export { featureStd, rankMe } from './collapse.js';
export { colorHistogramFeatures, colorHistograms, type Patches } from './color-histogram.js';
export {
  compareFeatures,
  type FeatureAccuracy,
  type FeatureComparison,
  type FeatureGain,
  groupsOf,
} from './compare-features.js';
export { type EmbeddingMapOptions, embeddingMap } from './embedding.js';
export { type FewShotClassifier, type FewShotResult, fewShot } from './few-shot.js';
export {
  type Encoder,
  type EvaluationView,
  type ExtractOptions,
  extractFeatures,
  FeatureExtractor,
  type Features,
} from './features.js';
export {
  type BootstrapOptions,
  clusterBootstrapInterval,
  type Interval,
  pairedDifferenceInterval,
  wilsonInterval,
} from './intervals.js';
export { type KnnOptions, type KnnResult, knnClassify } from './knn.js';
export { linearProbe } from './linear-probe.js';
export { fitLogisticRegression, type LogisticRegression, predictProbabilities } from './logistic-regression.js';
export { balancedAccuracy, confusionMatrix, topOneAccuracy } from './metrics.js';
export {
  accuracyMonitor,
  alignmentMonitor,
  collapseMonitor,
  type Monitor,
  MonitoredFeatures,
  type MonitorOptions,
  type MonitorPanel,
} from './monitors.js';
export {
  type ClassGap,
  type ColorQuestion,
  type SiteLeakage,
  type SiteLeakageOptions,
  siteLeakage,
} from './site-leakage.js';
export { nearestPrototype } from './prototypes.js';

export { alignment, uniformity } from './alignment.js';
export { featureStd, rankMe } from './collapse.js';
export { colorHistogramFeatures, colorHistograms, type Patches } from './color-histogram.js';
export {
  compareFeatures,
  type FeatureAccuracy,
  type FeatureComparison,
  type FeatureGain,
  groupsOf,
  type JudgedFeatures,
} from './compare-features.js';
export { type EmbeddingMapOptions, embeddingMap } from './embedding.js';
export {
  type Encoder,
  type EvaluationView,
  type ExtractOptions,
  extractFeatures,
  FeatureExtractor,
  type Features,
  featureRows,
} from './features.js';
export { type FewShotClassifier, type FewShotResult, fewShot, fewShotAccuracies } from './few-shot.js';
export { type Collapse, findCollapse, isSettled } from './find-collapse.js';
export { type KnnOptions, type KnnResult, knnClassify } from './knn.js';
export { linearProbe } from './linear-probe.js';
export { fitLogisticRegression, type LogisticRegression, predictProbabilities } from './logistic-regression.js';
export { type ReliabilityBin, reliabilityCurve } from './metrics/calibration.js';
export {
  type ClassificationReport,
  type ClassReport,
  classificationMetrics,
  classificationReport,
} from './metrics/classification.js';
export { type ClassifiedCases, classifiedCases } from './metrics/classified-cases.js';
export { type ClassificationError, confidentErrors } from './metrics/confident-errors.js';
export { checkClassNames } from './metrics/confusion.js';
export { type PrecisionRecallPoint, precisionRecallCurve, type RocPoint, rocCurve } from './metrics/curves.js';
export { type MetricDefinition, type MetricValue, measure, type PatientResults, type Unit } from './metrics/metric.js';
export {
  paperSegmentationMetrics,
  type SegmentationReport,
  segmentationMetrics,
  segmentationReport,
} from './metrics/segmentation.js';
export { SegmentationCounts, type SegmentedCases, type SegmentedImage } from './metrics/segmentation-counts.js';
export {
  accuracyMonitor,
  alignmentMonitor,
  collapseMonitor,
  type Monitor,
  MonitoredFeatures,
  type MonitorOptions,
  type MonitorPanel,
} from './monitors.js';
export { type Nearest, nearestCentered } from './nearest.js';
export { nearestPrototype } from './prototypes.js';
export {
  type ClassGap,
  type ColorQuestion,
  type SiteLeakage,
  type SiteLeakageOptions,
  siteLeakage,
} from './site-leakage.js';
export type { Arms, Comparison, Run } from './statistics/arms.js';
export {
  type ArmComparison,
  type ArmDifference,
  type ArmMetric,
  type CompareArmsOptions,
  compareArms,
} from './statistics/compare-arms.js';
export {
  type ComparisonRows,
  comparisonCsv,
  comparisonLatex,
  comparisonRows,
  escapeLatex,
  latexTable,
} from './statistics/comparison-text.js';
export { type CorrectedT, correctedT } from './statistics/corrected-t.js';
export { type BandOptions, precisionRecallBand, rocBand } from './statistics/curve-bands.js';
export { type DeLongResult, delongTest } from './statistics/delong.js';
export { holm } from './statistics/holm.js';
export {
  type BootstrapOptions,
  clusterBootstrapInterval,
  type Interval,
  pairedDifferenceInterval,
  wilsonInterval,
} from './statistics/intervals.js';
export { mcnemarTest } from './statistics/mcnemar.js';
export type { SeedSpread } from './statistics/seed-spread.js';

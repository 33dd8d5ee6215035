export { writeApiPages } from './api-pages.js';
export type { ArmResults } from './arm-results.js';
export { auditPage, type NamedAudit } from './audit-page.js';
export { type ChartOptions, drawChart, showChart, type VegaLiteSpec } from './chart.js';
export { type EmbeddingRow, embeddingChart, type IntervalRow, intervalChart } from './charts.js';
export { classifyTestSlide } from './classify-test-slide.js';
export { compileWithProgress, prepareDataset } from './compile-dataset.js';
export { showCompiled, showCounts, showDatasetCard, showDefinition, showSlideList } from './dataset-page.js';
export { clearOutput, type DisplayMetadata, type LiveDisplay, type MimeBundle, newLiveDisplay } from './display.js';
export { type EvaluatedFeatures, evaluatedFeatures } from './evaluated-features.js';
export { showFeatureMap } from './feature-map.js';
export { type Figure, showFigure } from './figure.js';
export { findArms } from './finetune-arms.js';
export { openFineTuningData, showFineTuningData } from './finetune-data.js';
export {
  bestFineTuning,
  fineTuningFacts,
  fineTuningMetrics,
  firstResults,
  showFineTunings,
} from './finetune-results.js';
export { fineTuneArms } from './finetune-runs.js';
export { apiLink, type GalleryLink, galleryPage, writeGallery } from './gallery.js';
export {
  drawImageGrid,
  type GridImage,
  type ImageGridOptions,
  showImageGrid,
  toGridImages,
} from './image-grid.js';
export { type LiveTrainingChart, liveTrainingChart } from './live-training-chart.js';
export { type CardFacts, type CardWords, modelCard } from './model-card.js';
export { modelTable } from './model-table.js';
export { pretrainedWords } from './pretrained-card.js';
export { openPretrainingData, showPretrainingData } from './pretraining-data.js';
export { compareWithBaselines, initialFilesOf, pretrainingFacts } from './pretraining-results.js';
export { duration, type Progress, progress } from './progress.js';
export { dataGroups, showProvenance } from './provenance-table.js';
export { showRealSlide } from './real-slide.js';
export { showReconstructions } from './reconstructions.js';
export { labelCurvesChart, resultsChart, showLabelCurves } from './results-charts.js';
export { showCalibration, showResultCosts } from './results-cost.js';
export { resultsFacts, showMissing } from './results-export.js';
export { compareResults, showResultRuns } from './results-runs.js';
export { showSiteRobustness } from './results-sites.js';
export { resultsFrame } from './results-table.js';
export { differenceRows, resultTables, showResultDifferences, showResults } from './results-tables.js';
export { segmentTestSlide } from './segment-test-slide.js';
export { display, html } from './show.js';
export { showClassified } from './show-classified.js';
export { comparisonMetrics, showComparison } from './show-comparison.js';
export { type ConfusionOptions, showConfusion } from './show-confusion.js';
export { showPretrainingCost } from './show-cost.js';
export { type CurvesOptions, showCurves } from './show-curves.js';
export { type ErrorsOptions, showErrors } from './show-errors.js';
export { showFrozenFeatures } from './show-frozen-features.js';
export { type HeatmapOptions, showHeatmap } from './show-heatmap.js';
export { type LearningCurvesOptions, type LearningPoint, showLearningCurves } from './show-learning-curves.js';
export { showNearest } from './show-nearest.js';
export { showPatches } from './show-patches.js';
export { type ReliabilityOptions, showReliability } from './show-reliability.js';
export { type SaliencyOptions, showSaliency } from './show-saliency.js';
export { type SegmentationOptions, type SegmentedRow, showSegmentation } from './show-segmentation.js';
export { showSegmentedClasses, showSegmentedPatches } from './show-segmented.js';
export { showSettings } from './show-settings.js';
export { showSiteLeakage } from './show-site-leakage.js';
export { showSlideCut } from './slide-cut.js';
export { auditSplits, type SplitAuditResult, showSplitAudit } from './split-audit.js';
export { showTable, type TableLike, type TableOptions, type TableRow, tableCsv } from './table.js';
export type { TrainingChartOptions } from './training-chart.js';
export { TrainingHistory, trainingHistory } from './training-history.js';
export { showViews } from './views.js';
export { watch } from './watch.js';

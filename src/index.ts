/**
 * What a notebook says, room by room. The rest of a room is reached by its name, as `pathlab/engine` or `pathlab/slides`.
 * Importing it loads neither TensorFlow nor vega: they come when first used.
 */

// Runs and randomness.

export { interruptSignal, type Key, key } from './base/index.js';
export { listRuns, openRun, type Run, readEvents } from './runs/index.js';

// Tensors and compiled functions.

export {
  compile,
  describeDevice,
  disposeTensors,
  gradients,
  type Precision,
  readSafetensors,
  type Tensor,
  type Tensors,
  tf,
  writeSafetensors,
} from './engine/index.js';

// Slides, tissue, patches.

export {
  findTissue,
  openSlide,
  paperGeometry,
  patchGrid,
  readPatches,
  type Slide,
  slideOverview,
  thumbnail,
  tissueMask,
} from './slides/index.js';

// Views of images, stains.

export {
  applyViews,
  centerView,
  drawViewParameters,
  hedJitter,
  imageNetColors,
  normalize,
  selfSupervisedViews,
  supervisedViews,
  type ViewRecipe,
} from './augment/index.js';

// Slides and patches as datasets.

export {
  auditSplit,
  compileDataset,
  type DatasetDefinition,
  fetchDataset,
  openData,
  openShardDataset,
  readDefinition,
  resolveDataset,
  type ShardDataset,
  splitPatches,
  syntheticDataset,
} from './datasets/index.js';

// Batches for training, monitors, features.

export { BatchSource, classWeights, colorStatistics } from './input/index.js';

// Networks.

export {
  type Backbone,
  backbone,
  fromTorch,
  loadWeights,
  mlp,
  type Network,
  resnet,
  toTorch,
  vit,
  withHead,
} from './models/index.js';

// What features are worth.

export {
  accuracyMonitor,
  clusterBootstrapInterval,
  collapseMonitor,
  colorHistogramFeatures,
  compareFeatures,
  type Encoder,
  embeddingMap,
  extractFeatures,
  knnClassify,
  type Monitor,
  pairedDifferenceInterval,
  siteLeakage,
  wilsonInterval,
} from './evaluate/index.js';

// Objectives, optimizers, schedules, the loop.

export {
  adamw,
  cosine,
  lars,
  multiStep,
  type Objective,
  sgd,
  type TrainingEvent,
  train,
  warmupCosine,
} from './training/index.js';

// Methods.

export {
  type Method,
  mae,
  measureCost,
  ntXent,
  type PretrainSettings,
  pretrain,
  simclr,
  supervised,
  untrainedEncoder,
} from './pretrain/index.js';

// Settings of the experiments.

export {
  compareFineTunings,
  compileExperiment,
  compileFacts,
  fineTuneExperiment,
  gatherResults,
  pretrainExperiment,
  pretrainingData,
} from './experiments/index.js';

// Charts, images, tables, and what the pages are made of.

export {
  auditSplits,
  bestFineTuning,
  classifyTestSlide,
  compareResults,
  compareWithBaselines,
  compileWithProgress,
  display,
  evaluatedFeatures,
  findArms,
  fineTuneArms,
  fineTuningFacts,
  firstResults,
  html,
  modelTable,
  openFineTuningData,
  openPretrainingData,
  prepareDataset,
  pretrainingFacts,
  progress,
  resultsFacts,
  segmentTestSlide,
  showCalibration,
  showChart,
  showClassified,
  showComparison,
  showCompiled,
  showCounts,
  showCurves,
  showDatasetCard,
  showDefinition,
  showFeatureMap,
  showFigure,
  showFineTuningData,
  showFineTunings,
  showFrozenFeatures,
  showImageGrid,
  showLabelCurves,
  showLearningCurves,
  showMissing,
  showNearest,
  showPatches,
  showPretrainingCost,
  showPretrainingData,
  showProvenance,
  showRealSlide,
  showReconstructions,
  showReliability,
  showResultCosts,
  showResultDifferences,
  showResultRuns,
  showResults,
  showSegmentedClasses,
  showSegmentedPatches,
  showSettings,
  showSiteLeakage,
  showSiteRobustness,
  showSlideCut,
  showSlideList,
  showSplitAudit,
  showTable,
  showViews,
  watch,
} from './report/index.js';

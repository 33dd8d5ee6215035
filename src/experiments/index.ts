export {
  type CompileExperiment,
  type CompileParameters,
  compileExperiment,
  compileFacts,
  type ExperimentDataset,
  experimentDataset,
} from './compile-datasets.js';
export { type DividedWork, dividedWork } from './divided-work.js';
export {
  type FineTuneExperiment,
  type FineTuneNotebook,
  type FineTuneParameters,
  fineTuneExperiment,
  isFineTuning,
} from './finetune.js';
export { type Arm, fileName, fineTuningArms, type SkippedArm } from './finetune-arms.js';
export { compareFineTunings, comparisonFamily } from './finetune-comparison.js';
export {
  type FineTuneData,
  type FineTuneFold,
  fineTuningData,
  patchesInOrder,
  trainingPatches,
} from './finetune-data.js';
export { keptResults, resultsOfKeptModel } from './finetune-kept.js';
export { modelFolder, readModel } from './finetune-model.js';
export type { FineTunePage, FineTuneRecipe, FineTuneTask, TaskPredictor } from './finetune-recipe.js';
export { type ArmStart, type FineTuneRun, keptFineTunings, type PastTraining } from './finetune-run.js';
export {
  type FineTuneEvent,
  type FineTuneRuns,
  fineTuneRuns,
  keepsModel,
  predictedView,
  predictorOf,
  resultsByArm,
  runFineTunings,
  trainingFolder,
} from './finetune-runs.js';
export { type FrozenFeatureResults, frozenClassifiers, frozenFeatures } from './frozen-features.js';
export {
  isPretraining,
  type PretrainExperiment,
  type PretrainParameters,
  pretrainExperiment,
  splitName,
} from './pretrain.js';
export { jobStartSeconds, type ProcessesOptions, pretrainInProcesses } from './pretrain-in-processes.js';
export type { PretrainRecipe, Scale } from './pretrain-recipe.js';
export { runPretrainWorker, type SharedPretraining, type WorkerOptions, workerExit } from './pretrain-worker.js';
export { type PretrainingCost, pretrainingCost } from './pretraining-cost.js';
export { type OpenDataWatch, type PretrainingData, pretrainingData } from './pretraining-data.js';
export { pretrainingMonitors } from './pretraining-monitors.js';
export {
  gatherResults,
  type Results,
  type ResultsParameters,
  resultsInputs,
  resultsNotebook,
  runsReadHash,
} from './results.js';
export { type ComparedGroup, compareGroups, maxSites } from './results-comparison.js';
export { groupResults, type ResultGroup } from './results-groups.js';
export type { MissingCells } from './results-missing.js';
export { type PaperNumber, paperNumbers, paperNumbersOf, papersMetric, resultTasks } from './results-paper.js';
export { resultRows, rowOf } from './results-rows.js';
export { type LeftOut, nameOf, type ResultRun, readResultRuns } from './results-runs.js';
export { smallViews } from './small-scale.js';
export { costOfTraining, costsFile, type KeptCost, readCosts } from './training-cost.js';
export { evaluationCost, stepsBetweenEvaluations, watchedCounts, watchedShare } from './watching.js';
export { weightsHistory } from './weights-history.js';

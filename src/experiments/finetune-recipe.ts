import type { SyntheticDatasetOptions } from '../datasets/index.js';
import type { Tensors } from '../engine/index.js';
import type { EvaluationView, ExtractOptions, MetricDefinition, PatientResults, Unit } from '../evaluate/index.js';
import type { TestTimeAugmentation } from '../finetune/index.js';
import type { BatchSource } from '../input/index.js';
import type { Backbone, ModelTensors, SegmentationHeadName } from '../models/index.js';
import type { AnyMethod } from '../pretrain/index.js';
import type { PredictedCases } from './finetune-cases.js';
import type { PretrainRecipe, Scale } from './pretrain-recipe.js';
import type { SmallScale } from './small-scale.js';

/**
 * How a network is fine-tuned:
 * - `paper`: as in the paper.
 * - `bit`: by BiT's rule (see `bitHyperRule`), without clipping of gradients and without dropout.
 * - `layerwise`: as in the paper, but each of a transformer's blocks learns at .75 of the rate of the next, as MAE's code does for
 *   its ViT-L (He et al., 2022; arXiv 2111.06377, appendix A.1).
 */
export const protocols = ['paper', 'bit', 'layerwise'] as const;
export type FineTuneProtocol = (typeof protocols)[number];

/** Cross entropy; with label smoothing of .1; with weights of classes in inverse proportion to their patches. */
export const classificationLosses = ['cross-entropy', 'smoothed', 'weighted'] as const;
export type ClassificationLoss = (typeof classificationLosses)[number];

/** A fine-tuning at a scale; its method has classes. */
export interface FineTuneRecipe extends PretrainRecipe {
  protocol: FineTuneProtocol;
  /** Epochs over which the learning rate rises, at most half of the steps; by default the share that the settings say. */
  warmupEpochs?: number;
  /** Orientations of a test patch over which predictions are averaged. */
  testTime: TestTimeAugmentation;
  /** Parts of the training patients, each of which is for validation once; 1: all patients train, and none validates. */
  folds: number;
  /** Fine-tunings of each arm and fold, which differ in their seed. */
  seeds: number;
  /** Steps between two evaluations on the fold's validation patches, and between two checkpoints. */
  monitorEvery: number;
  checkpointEvery: number;
  /** Ends a training so many steps after the best validation, and keeps that model; by default all steps are done. */
  patience?: number;
}

/** The paper's protocol, for classification and segmentation. */
export const paperProtocol = {
  settings: {
    steps: 1000,
    optimizer: 'adamw',
    // For a batch of 512.
    learningRate: 1e-4,
    warmup: 0,
    weightDecay: 5e-5,
    decayTokens: false,
    clipNorm: 1,
    resetBatchNorm: true,
    precision: 'bfloat16',
  },
  warmupEpochs: 1,
  batchSize: 512,
  imageSize: 512,
  testTime: 'none',
  folds: 3,
  seeds: 1,
  monitorEvery: 100,
  checkpointEvery: 100,
} as const;

/** Predicts with weights that are an argument, so that it is compiled once for each source. */
export interface TaskPredictor {
  /**
   * What is kept of the predictions for a source's patches, in its order.
   *
   * @returns the caller's to dispose of
   */
  predict(model: ModelTensors, source: BatchSource, options?: ExtractOptions): Promise<Tensors>;
  /** Frees the compiled functions. */
  dispose(): void;
}

/** What classification and segmentation differ in. */
export interface FineTuneTask<Results extends PatientResults> {
  /** Whether it learns from masks; else from the classes of patches. */
  masks: boolean;
  /** What the page's table shows. */
  metrics: Readonly<Record<string, MetricDefinition<Results>>>;
  /** One of them, higher ones better: what arms are compared by, and what a fold's validation measures. */
  main: string;
  predictor(of: { method: AnyMethod; view: EvaluationView; testTime: TestTimeAugmentation; unit: Unit }): TaskPredictor;
  /** What predictions were worth. */
  results(predictions: Tensors, cases: PredictedCases): Promise<Results>;
}

/** What a page's parameters say of its recipe; what is left out is the scale's. */
export interface Asked {
  backbone?: Backbone;
  /** Of a segmentation. */
  head?: SegmentationHeadName;
  /** Side of the views, px. */
  size?: number;
  /** By default the paper's. */
  protocol?: FineTuneProtocol;
  /** Of a classification; by default cross entropy. */
  loss?: ClassificationLoss;
}

/** A fine-tuning page. */
export interface FineTunePage<Results extends PatientResults> {
  task: FineTuneTask<Results>;
  /** The definition that it reads at paper scale. */
  dataset: string;
  /** Slides that it draws at the small scales. */
  cohorts: Readonly<Record<SmallScale, SyntheticDatasetOptions>>;
  recipes: Readonly<Record<Scale, (asked?: Asked) => FineTuneRecipe>>;
}

export { accumulatedGradients, type PartOfBatch } from './accumulate.js';
export { type AdamwOptions, adamw } from './adamw.js';
export { type BatchOrder, batchOrder } from './batch-order.js';
export {
  type Checkpoint,
  type CheckpointFolder,
  type HistoryEntry,
  loadLatestCheckpoint,
  saveCheckpoint,
  type TrainingTensors,
} from './checkpoint.js';
export { clipByGlobalNorm } from './clip.js';
export { type LarsOptions, lars } from './lars.js';
export { type Step, type TrainingEvent, type TrainingResult, type TrainOptions, train } from './loop.js';
export { dynamicLossScaling, type LossScalingOptions, type ScaledOptimizer } from './loss-scaling.js';
export { movingAverage } from './moving-average.js';
export { isBiasOrNorm, type Optimizer } from './optimizer.js';
export { cosine, type Schedule, stepwise, warmupCosine, withWarmup } from './schedules.js';
export { type SgdOptions, sgd } from './sgd.js';

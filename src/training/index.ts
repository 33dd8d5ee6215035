export { type BatchOrder, batchOrder } from './batch-order.js';
export {
  type Checkpoint,
  type CheckpointFolder,
  type HistoryEntry,
  loadLatestCheckpoint,
  saveCheckpoint,
  type TrainingTensors,
} from './checkpoint.js';
export { type LarsOptions, lars } from './lars.js';
export { type Step, type TrainingEvent, type TrainingResult, type TrainOptions, train } from './loop.js';
export { isBiasOrNorm, type Optimizer } from './optimizer.js';
export { type Schedule, warmupCosine } from './schedules.js';
export { type SgdOptions, sgd } from './sgd.js';

export { accumulateGradients } from './accumulate-gradients.js';
export { type AdamwOptions, adamw } from './adamw.js';
export {
  type Checkpoint,
  type CheckpointFolder,
  differences,
  loadLatestCheckpoint,
  type TrainingTensors,
} from './checkpoint.js';
export { clipGradients } from './clip.js';
export type { ExchangeCost } from './exchange-meter.js';
export { freezing } from './freezing.js';
export { type JoinedReplicas, type JoinOptions, joinReplicas } from './join-replicas.js';
export { type LarsOptions, lars } from './lars.js';
export { train } from './loop.js';
export { dynamicLossScaling, type LossScalingOptions, type ScaledOptimizer } from './loss-scaling.js';
export { movingAverage } from './moving-average.js';
export type { LossOfBatch, Objective, Scheduled, StepContext } from './objective.js';
export { isBiasOrNorm, type Optimizer } from './optimizer.js';
export { type PlaceInJob, placeInJob } from './place-in-job.js';
export { withRateFactors } from './rate-factors.js';
export { type Replicas, replicasOf, singleReplica } from './replicas.js';
export type { TrainingMonitor } from './run-monitors.js';
export { cosine, multiStep, type Schedule, warmupCosine, withWarmup } from './schedules.js';
export { type SgdOptions, sgd } from './sgd.js';
export { superviseWorkers, type WorkersEnd, type WorkersOptions } from './supervise-workers.js';
export type { TrainingResult, TrainOptions } from './train-options.js';
export type { TrainingEvent, TrainingLog } from './training-event.js';
export { type CompiledStep, compiledStep, type Step, type StepOptions, trainingStep } from './training-step.js';

export { type Cluster, type ClusterOptions, joinCluster } from './collectives/cluster.js';
export { allGather, allReduce, collectiveBytes, leaveCluster, sumOfProcesses } from './collectives/collectives.js';
export { LostWorkerError } from './collectives/failure.js';
export { type Meeting, meet, type Rendezvous } from './collectives/rendezvous.js';
export * from './compile/index.js';
export { ConvAlgorithms, describeConvolution } from './conv-algorithms.js';
export { hasCustomOps } from './custom-ops.js';
export { type DeviceDescription, describeDevice } from './device.js';
export { inFullPrecision } from './full-precision.js';
export { heldGpuGibibytes } from './gpu-memory.js';
export { reasonForNoGpu } from './gpu-reason.js';
export { hasGpuKernels, type MissingKernel, withoutGpuKernel } from './kernels.js';
export { type AdamwStep, type AdamwTensors, adamwUpdate } from './ops/adamw-update.js';
export { attention } from './ops/attention.js';
export {
  type BatchNormParameters,
  batchNormInference,
  batchNormTraining,
  type RunningStatistics,
} from './ops/batch-norm.js';
export { type Activation, biasActivation, type GeluOptions, gelu } from './ops/bias-activation.js';
export { conv2d } from './ops/conv2d.js';
export type { Conv2dOptions } from './ops/convolution-attributes.js';
export { type CrossEntropyOptions, crossEntropy } from './ops/cross-entropy.js';
export { addBias, dense } from './ops/dense.js';
export { depthwiseConv2d } from './ops/depthwise-conv2d.js';
export { dilatedConv2d } from './ops/dilated-conv2d.js';
export { dropout, dropPath } from './ops/dropout.js';
export { gather } from './ops/gather.js';
export { groupNorm } from './ops/group-norm.js';
export { l2Normalize } from './ops/l2-normalize.js';
export { type LayerNormParameters, layerNorm } from './ops/layer-norm.js';
export { type MomentumStep, type MomentumTensors, momentumUpdate } from './ops/momentum-update.js';
export { type NormBefore, normConv2d } from './ops/norm-conv2d.js';
export { averagePool, globalAveragePool, maxPool } from './ops/pool.js';
export { relu, relu6 } from './ops/relu.js';
export { resizeBicubic, resizeBilinear } from './ops/resize.js';
export { silu } from './ops/silu.js';
export { softmaxCrossEntropy } from './ops/softmax-cross-entropy.js';
export { standardizedConv2d, standardizeWeight } from './ops/standardized-conv2d.js';
export { stopGradient } from './ops/stop-gradient.js';
export { stridedSlice } from './ops/strided-slice.js';
export { type ConvolutionShape, type GradientAlgorithm, supportedAlgorithms } from './ops/weight-gradient.js';
export { probed, withProbe } from './probe.js';
export { randomNormal, randomUniform, randomUniformOfRows, truncatedNormal } from './random.js';
export { type ReplicaScope, type StatisticsExchange, withOwnStatistics, withReplicaScope } from './replica-scope.js';
export {
  type Attribute,
  attribute,
  environmentOfOthers,
  executeOp,
  isByteTensor,
  isTensorFlowLoaded,
  requestedDevice,
  runOp,
  type Tensor,
  tf,
  uploadBytes,
  uploadStrings,
  withGradient,
} from './runtime.js';
export { openSafetensors, readSafetensors, writeSafetensors } from './safetensors.js';
export {
  elementWidth,
  readAll,
  readBytes,
  type StoredTensor,
  type TensorFile,
  tensorOfBytes,
} from './stored-tensors.js';
export {
  bytesOf,
  disposeTensors,
  elementsOf,
  getTensor,
  gradients,
  mapTensors,
  subTensors,
  type Tensors,
  withPrefix,
  zipTensors,
} from './tensors.js';

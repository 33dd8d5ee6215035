export { type Backbone, fittingSize } from './backbone.js';
export { bit } from './bit.js';
export { type DinoHeadOptions, dinoHead } from './dino-head.js';
export { type EfficientnetOptions, efficientnet } from './efficientnet.js';
export type { ModelTensors } from './forward-pass.js';
export { type InceptionOptions, inceptionV3 } from './inception.js';
export { resetRunningStatistics } from './initialize.js';
export {
  applySequentially,
  copyModel,
  type Head,
  joinModels,
  type MlpOptions,
  mlp,
  type Network,
  subModel,
  withHead,
} from './network.js';
export { resamplePositions, sineCosinePositions } from './positions.js';
export { type BackboneName, backbone, backboneNames, type ModelFacts, modelFacts } from './registry.js';
export { type ResnetOptions, resnet } from './resnet.js';
export {
  type SegmentationHeadName,
  type Segmenter,
  type SegmenterOptions,
  segmenter,
} from './segmentation/segmenter.js';
export { fromTorch, toTorch } from './torch-layout.js';
export { type Transformer, type TransformerOptions, transformer } from './transformer.js';
export { type Vit, type VitOptions, vit, vitLarge16, vitSmall16 } from './vit.js';
export { type LoadedWeights, type LoadOptions, loadWeights } from './weights/load-weights.js';
export { type OpenedWeights, openWeights } from './weights/open-weights.js';
export { publishedWeights } from './weights/published.js';

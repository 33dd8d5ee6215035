export { bitHyperRule } from './bit-rule.js';
export { type FineTuned, type FineTuneOptions, fineTune } from './fine-tune.js';
export { type PredictOptions, type Predictor, predictedViews, predictPatches } from './predict.js';
export { type Orientation, orientations, type TestTimeAugmentation } from './test-time.js';
export { diceLoss } from './dice-loss.js';
export { type SegmentationOptions, segmentation } from './segmentation.js';

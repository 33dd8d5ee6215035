export { bitHyperRule } from './bit-rule.js';
<<<<<<< HEAD
export { type FineTuned, type FineTuneOptions, fineTune } from './fine-tune.js';
export { PatchPredictor, type PredictedAs, type Predictor, predictedViews, predictPatches } from './predict.js';
export { type Orientation, orientations, type TestTimeAugmentation } from './test-time.js';
export { diceLoss } from './dice-loss.js';
export { type SegmentationOptions, segmentation } from './segmentation.js';
=======
>>>>>>> 523c47d2aa80219680c33fa5736dd3a77acf07c8
export type { PredictedClass } from './classes.js';
export { type ClassifySlideOptions, classifySlide, type SlideHeatmap } from './classify-slide.js';
export { diceLoss } from './dice-loss.js';
export { type FineTuned, type FineTuneOptions, fineTune } from './fine-tune.js';
export type { PolygonOptions } from './polygon-file.js';
export { type PredictOptions, type Predictor, predictedViews, predictPatches } from './predict.js';
export type { PredictTilesOptions } from './predict-tiles.js';
export { type SegmentOptions, type SlideSegmentation, segmentSlide, unlabelled } from './segment-slide.js';
export { type SegmentationOptions, segmentation } from './segmentation.js';
export { type Orientation, orientations, type TestTimeAugmentation } from './test-time.js';

export type { PredictedClass } from './classes.js';
export { type ClassifySlideOptions, classifySlide, type SlideHeatmap } from './classify-slide.js';
export type { PolygonOptions } from './polygon-file.js';
export type { PredictOptions } from './predict-tiles.js';
export { type SegmentOptions, type SlideSegmentation, segmentSlide, unlabelled } from './segment-slide.js';

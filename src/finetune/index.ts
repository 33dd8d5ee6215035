export { diceLoss } from './dice-loss.js';
export { type SegmentationOptions, segmentation } from './segmentation.js';

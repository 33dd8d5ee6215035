export { BatchSource, type BatchSourceOptions } from './batch-source.js';
export { classWeights, inverseFrequencies } from './class-weights.js';
export { colorStatistics } from './color-statistics.js';
export type { Decoded } from './encoded.js';
export { countMaskPixels } from './mask-pixels.js';
export { batchesOnce, readImages } from './read-images.js';

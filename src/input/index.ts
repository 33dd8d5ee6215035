export { BatchSource, type BatchSourceOptions } from './batch-source.js';
export { classWeights } from './class-weights.js';
export { colorStatistics } from './color-statistics.js';
export type { Decoded } from './encoded.js';
export { batchesOnce, readImages } from './read-images.js';

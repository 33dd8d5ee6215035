export {
  type BatchLoader,
  type BatchLoaderOptions,
  batchesInOrder,
  batchLoader,
  type EncodedBatch,
  type LoaderState,
} from './batch-loader.js';
export { classWeights } from './class-weights.js';
export { colorStatistics } from './color-statistics.js';
export { type EncodedPatch, readEncoded } from './read-patches.js';
export { openShardDataset, type ShardDataset } from './shard-dataset.js';

export { type EncodedPatch, readEncoded } from './read-patches.js';
export { openShardDataset, type ShardDataset } from './shard-dataset.js';

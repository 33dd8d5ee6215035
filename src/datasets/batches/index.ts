export { type EncodedPatch, readEncoded } from './read-patches.js';
export { type CodedColumn, openShardDataset, type ShardDataset } from './shard-dataset.js';

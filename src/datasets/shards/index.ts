export { requireDistinctNames, requireSafeName } from './names.js';
export {
  jpegQuality,
  type PatchFacts,
  type PatchPlace,
  readShard,
  type ShardContent,
  type ShardPatch,
  ShardWriter,
  shardInputHash,
  shardVersion,
} from './shard.js';
export { type IndexedShard, packShard, readShardIndex, shardIndex } from './shard-index.js';

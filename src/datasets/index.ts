export * from './audit/index.js';
export * from './cohort/index.js';
export * from './compile/index.js';
export type {
  BucketSource,
  DatasetClass,
  DatasetDefinition,
  DatasetGeometry,
  DatasetOrigin,
  FolderSource,
  GdcSource,
  LabelRule,
  PandaSource,
  SplitRule,
  TableSource,
} from './definition.js';
export { describeData } from './describe-data.js';
export { byReason, type ExcludedByReason } from './excluded.js';
export { type FetchedDataset, fetchDataset } from './fetch.js';
export { type FetchReport, type ListFacts, listFacts } from './fetch-report.js';
export { ignoredValues, unlabelled } from './ignored-values.js';
export { type InferredDefinition, inferDefinition } from './infer/index.js';
export {
  filesOf,
  type LockedFile,
  type LockedSlide,
  type LockFile,
  listSha256,
  lockFileText,
  readLockFile,
} from './lock-file.js';
export { readSlideManifest, readWeightsManifest, type SlideManifest, type WeightsManifest } from './manifest.js';
export { type NamedData, nameData, type OpenDataOptions, type OpenedData, openData } from './open-data.js';
export { groupsOf, hashDistance, type NearPair, nearPairs, perceptualHash } from './perceptual-hash.js';
export { checkDefinition, definitionFolder, definitionSha256, readDefinition } from './read-definition.js';
export { type EncodedPatch, readEncoded } from './read-encoded.js';
export { type FetchOptions, type ResolvedDataset, resolveDataset } from './resolve-dataset.js';
export { sampleDataset, sampleManifestName, sampleSlide } from './sample-slide.js';
export { type CodedColumn, openShardDataset, type ShardDataset } from './shard-dataset.js';
export { type PatchFacts, type PatchPlace, readShard, readShardIndex, type ShardContent } from './shards/index.js';
export { type DatasetSlide, dataFacts, type SlideSource } from './slide-source.js';
export { slidesOnDisk } from './slides-on-disk.js';
export * from './splits/index.js';

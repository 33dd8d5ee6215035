export {
  type AuditedPicture,
  type AuditedPictures,
  auditGivenSides,
  auditRules,
  differInCaseAlone,
  type FoldAudit,
  type KeptTogether,
  type PictureFacts,
  type PlantedFinding,
  patientsWithDoubles,
  picturesOfFolder,
  picturesOfShards,
  picturesOfTable,
  plantedFindings,
  type RuleAuditOptions,
  type RuleAudits,
  type ShardPicturesOptions,
  type UserPicturesOptions,
} from './audit/index.js';
export {
  type CodedColumn,
  type EncodedPatch,
  openShardDataset,
  readEncoded,
  type ShardDataset,
} from './batches/index.js';
export {
  type CohortKind,
  type LeakCounts,
  type PlantedLeak,
  type SyntheticDataset,
  type SyntheticDatasetOptions,
  syntheticDataset,
  tissueOfOrgan,
} from './cohort/index.js';
export {
  type CardContent,
  type CompileDatasetOptions,
  type CompiledDataset,
  type CompilePlan,
  type CompileProgress,
  type CompileReport,
  type CutOptions,
  type CutSettings,
  compileDataset,
  countsByName,
  cutSettings,
  describePlan,
  disagreements,
  knownNames,
  placePatches,
  planCompile,
  readReport,
  type SlideDataset,
  type SlideFacts,
  type SlideFailure,
  shardFolder,
  splitInWords,
  subjectOf,
} from './compile/index.js';
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
export { type FetchedDataset, fetchDataset } from './fetch.js';
export { byReason, type FetchReport, type LeftOut, type ListFacts, listFacts } from './fetch-report.js';
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
export { readSlideManifest, type SlideManifest } from './manifest.js';
export { type NamedData, nameData, type OpenDataOptions, type OpenedData, openData } from './open-data.js';
export { groupsOf, hashDistance, type NearPair, nearPairs, perceptualHash } from './perceptual-hash.js';
export { checkDefinition, definitionFolder, definitionSha256, readDefinition } from './read-definition.js';
export { type FetchOptions, type ResolvedDataset, resolveDataset } from './resolve-dataset.js';
export { sampleDataset, sampleManifestName, sampleSlide, sampleSlidePath } from './sample-slide.js';
export { type PatchFacts, type PatchPlace, readShard, readShardIndex, type ShardContent } from './shards/index.js';
export { type DatasetSlide, dataFacts, type SlideSource } from './slide-source.js';
export { slidesOnDisk } from './slides-on-disk.js';
export {
  type Apart,
  type AuditOptions,
  auditSplit,
  auditText,
  type DatasetSplit,
  type DividedSlide,
  divide,
  type Fold,
  foldTable,
  type Leak,
  leakTable,
  type NearDuplicate,
  nearDuplicatePictures,
  type PairPicture,
  type PatchSplit,
  type PatchSplitBy,
  paperSeed,
  type RuleLeak,
  ruleLeaks,
  type Side,
  type SplitAudit,
  type SplitPatchesOptions,
  sidesOf,
  splitPatches,
  usualNearDistance,
} from './splits/index.js';

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
export { type EncodedPatch, openShardDataset, readEncoded, type ShardDataset } from './batches/index.js';
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
  placePatches,
  planCompile,
  readReport,
  type SlideDataset,
  type SlideFacts,
  type SlideFailure,
  shardFolder,
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
export { type FetchedDataset, fetchDataset } from './fetch.js';
export { byReason, type FetchReport, type LeftOut, type ListFacts, listFacts } from './fetch-report.js';
export { type LoadPatchSetOptions, loadPatchSet } from './load-patch-set.js';
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
export { gatherImages, type PatchSet, type PatchSource, patchTable, selectPatches } from './patch-set.js';
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
  compareRules,
  type DatasetSplit,
  type DividedSlide,
  divide,
  type Fold,
  foldTable,
  hashPictures,
  type Leak,
  leakTable,
  type NearDuplicate,
  nearDuplicatePictures,
  type PairPicture,
  paperSeed,
  type RuleLeak,
  ruleLeaks,
  type Side,
  type SlideSplit,
  type SplitAudit,
  sidesOf,
  splitBySlide,
  usualNearDistance,
} from './splits/index.js';
export { type SyntheticCohort, type SyntheticCohortOptions, syntheticCohort } from './synthetic-cohort.js';

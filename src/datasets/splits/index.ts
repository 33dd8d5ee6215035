export {
  type AuditOptions,
  auditSplit,
  auditText,
  defaultNearDistance,
  foldTable,
  type GroupKey,
  type Leak,
  leakTable,
  type NearDuplicate,
  type SplitAudit,
} from './audit.js';
export { nearDuplicateImages, type PairImage } from './near-duplicate-images.js';
export { paperSeed, type RuleLeak, ruleLeaks, ruleLeaksIfEnough } from './rules.js';
export { type PatchSplit, type PatchSplitBy, type SplitPatchesOptions, splitPatches } from './split-patches.js';
export {
  type DatasetSplit,
  type Fold,
  type SplitItem,
  splitNames,
  splitSlides,
  TooFewError,
} from './split-slides.js';

export {
  type Apart,
  type AuditOptions,
  auditSplit,
  auditText,
  foldTable,
  type Leak,
  leakTable,
  type NearDuplicate,
  type SplitAudit,
  usualNearDistance,
} from './audit.js';
export { type DatasetSplit, type DividedSlide, divide, type Fold, type Side, sidesOf, TooFewError } from './divide.js';
export { nearDuplicatePictures, type PairPicture } from './pictures.js';
export { paperSeed, type RuleLeak, ruleLeaks, ruleLeaksIfEnough } from './rules.js';
export { type PatchSplit, type PatchSplitBy, type SplitPatchesOptions, splitPatches } from './split-patches.js';

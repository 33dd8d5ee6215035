export { findTissue, type TissueMap } from './find-tissue.js';
export { type FocusMap, focusMap } from './focus.js';
export { type TissueMask, tissueFraction } from './mask.js';
export {
  defaultLimits,
  type PatchLimits,
  type PatchScores,
  type RejectionReason,
  rejectionReasons,
} from './scores.js';
export { type TissueChannel, type TissueSettings, tissuePresets } from './settings.js';

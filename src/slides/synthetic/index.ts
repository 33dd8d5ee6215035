export { type TissueKind, tissueKind, tissueKinds } from './kinds/index.js';
export { materialShares } from './plan.js';
export {
  renderSyntheticSlide,
  type SyntheticSlide,
  type SyntheticSlideFile,
  type SyntheticSlideOptions,
  type SyntheticSlideRecord,
  syntheticGeneratorVersion,
  syntheticRecordPath,
  syntheticSlideSettings,
  writeSyntheticSlide,
} from './slide.js';
export { ruifrokJohnston, type SlideStain, type StainVector } from './stains.js';

export { type TissueKind, tissueKind, tissueKinds } from './kinds.js';
export { material, materialShares } from './paint-tissue.js';
export {
  renderSyntheticSlide,
  type SyntheticSlide,
  type SyntheticSlideFile,
  type SyntheticSlideOptions,
  type SyntheticSlideRecord,
  syntheticGeneratorVersion,
  syntheticRecordPath,
  writeSyntheticSlide,
} from './slide.js';
export { ruifrokJohnston, type SlideStain, type StainVector } from './stains.js';

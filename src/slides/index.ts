export { type Magnification, type Resampling, resampling } from './magnification.js';
export { slideOverview } from './overlay.js';
export {
  type PatchGeometry,
  type PatchImages,
  type PatchIndex,
  paperGeometry,
  patchGrid,
  readPatches,
} from './patches.js';
export type { RgbImage } from './rgb-image.js';
export { openSlide, Slide, type SlideLevel } from './slide.js';
export {
  materialShares,
  renderSyntheticSlide,
  ruifrokJohnston,
  type SlideStain,
  type StainVector,
  type SyntheticSlide,
  type SyntheticSlideFile,
  type SyntheticSlideOptions,
  type SyntheticSlideRecord,
  syntheticGeneratorVersion,
  syntheticRecordPath,
  syntheticSlideSettings,
  type TissueKind,
  tissueKind,
  tissueKinds,
  writeSyntheticSlide,
} from './synthetic/index.js';
export { type Thumbnail, thumbnail } from './thumbnail.js';
export { type TissueMask, tissueFraction, tissueMask } from './tissue.js';

export {
  type LabelRegion,
  type LabelSource,
  openLabelImage,
  type Polygon,
  type PolygonFile,
  polygonLabels,
  rasterizePolygon,
  readLabelPatch,
  readPolygons,
} from './labels/index.js';
export { isPixelSize, leastMpp, type Magnification, mostMpp, type Resampling, resampling } from './magnification.js';
export { type OverviewLabels, type OverviewOptions, slideOverview } from './overlay.js';
export { useOwnFont } from './own-font.js';
export {
  checkGeometry,
  type PatchGeometry,
  type PatchGridOptions,
  type PatchIndex,
  paperGeometry,
  patchGrid,
} from './patch-grid.js';
export {
  type PictureFacts,
  type PictureForm,
  type PictureLimits,
  type PictureOutcome,
  type PictureSource,
  pictureLimits,
  type ReadPicture,
  readPicture,
  readPictures,
  requirePicture,
} from './pictures.js';
export { encodePatches, type PatchImages, type ReadPatchesOptions, readPatches } from './read-patches.js';
export { readers, setReaderMemory } from './reader/pool.js';
export type { RgbImage } from './rgb-image.js';
export { type OpenSlideOptions, openSlide, Slide, type SlideLevel } from './slide.js';
export {
  type BlockValues,
  type DrawnSection,
  drawSite,
  type Lesion,
  renderSection,
  type Scanner,
  type SectionFiles,
  type SectionTissue,
  type SlideStain,
  type SyntheticSection,
  type SyntheticSite,
  stainAround,
  syntheticGeneratorVersion,
  type WrittenFile,
  writeSection,
} from './synthetic/index.js';
export { type Thumbnail, thumbnail } from './thumbnail.js';
export {
  defaultLimits,
  type FocusMap,
  findTissue,
  focusMap,
  type PatchLimits,
  type PatchScores,
  type RejectionReason,
  rejectionReasons,
  type TissueChannel,
  type TissueMap,
  type TissueMask,
  type TissueSettings,
  tissueFraction,
  tissueMask,
  tissuePresets,
} from './tissue/index.js';

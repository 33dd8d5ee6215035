export { useBundledFont } from './bundled-font.js';
export { heatColor, heatmapOverview, type SlideValues } from './heatmap-overview.js';
export {
  type DecodedImage,
  type ImageFacts,
  type ImageForm,
  type ImageLimits,
  type ImageOutcome,
  type ImageSource,
  imageLimits,
  readImageFile,
  readImageFiles,
  requireImage,
} from './image-files.js';
export * from './labels/index.js';
export { isPixelSize, type Magnification, maxMpp, minMpp, type Resampling, resampling } from './magnification.js';
export { type OverviewLabels, type OverviewOptions, slideOverview } from './overlay.js';
export {
  checkGeometry,
  type PatchGeometry,
  type PatchGridOptions,
  type PatchIndex,
  paperGeometry,
} from './patch-grid.js';
export { placesOfRead, readAhead } from './read-ahead.js';
export { encodePatches, type PatchImages, type ReadPatchesOptions, readPatches } from './read-patches.js';
export { readers, setReaderMemory } from './reader/pool.js';
export type { RgbImage } from './rgb-image.js';
export { type OpenSlideOptions, openSlide, Slide, type SlideLevel } from './slide.js';
export * from './synthetic/index.js';
export { type Thumbnail, thumbnail } from './thumbnail.js';
export * from './tissue/index.js';
export { patchGrid, tissueMask } from './with-display.js';

export { meanOfPixels } from './color.js';
export { type DecodeOptions, decodeJpegs, decodeMasks, integersOf } from './decode.js';
export { drawViewParameters } from './draw.js';
export { drawHedJitter, type HedJitter, hedJitter } from './hed-jitter.js';
export { applyMaskViews } from './mask-views.js';
export { type ColorStatistics, imageNetColors, normalize } from './normalize.js';
export {
  byolViews,
  dinoViews,
  type Range,
  segmentationViews,
  selfSupervisedViews,
  supervisedViews,
  type ViewRecipe,
} from './recipe.js';
export { imagesOfDecoded } from './resized-crop.js';
export { applyViews, centerView, imagesFromBytes } from './views.js';

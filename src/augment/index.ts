export { type DecodeOptions, decodeJpegs, imagesOfDecoded, jpegDecoder, ratioFor } from './decode.js';
export { drawViewParameters } from './draw.js';
export { type ColorStatistics, imageNetColors, normalize, ptcga200Colors } from './normalize.js';
export { checkRecipe, type Range, selfSupervisedViews, supervisedViews, type ViewRecipe } from './recipe.js';
export { applyViews, centerView, imagesFromBytes, randomViews, simclrViews } from './views.js';

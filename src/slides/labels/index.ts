export { type Polygon, type PolygonFile, readPolygons } from './polygons.js';
export { type LabelRegion, rasterizePolygon } from './rasterize.js';
export { type LabelSource, openLabelImage, polygonLabels, readLabelPatch } from './source.js';

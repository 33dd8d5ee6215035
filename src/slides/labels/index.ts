export { annotationFeature, channelsOf, GeoJsonWriter } from './geojson.js';
export { type LabelTiffOptions, LabelTiffWriter } from './label-tiff.js';
export { type LabelArea, OutlineTracer, ringArea } from './outlines.js';
export { type Polygon, type PolygonFile, readPolygons } from './polygons.js';
export { type LabelRegion, rasterizePolygon } from './rasterize.js';
export { simplifyRings } from './simplify.js';
export { type LabelSource, openLabelImage, polygonLabels, rasterLabels, readLabelPatch } from './source.js';

export { drawHedJitter, type HedJitter, hedJitter } from './hed-jitter.js';
export { type MacenkoStains, macenkoNormalize, macenkoReference, macenkoStains } from './macenko.js';
export { type LabStatistics, labStatistics, reinhardNormalize } from './reinhard.js';

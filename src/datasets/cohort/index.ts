export type { PlantedLeak } from './plan.js';
export { type CohortKind, tissueOfOrgan } from './planners.js';
export type { LeakCounts, SyntheticDatasetOptions } from './settings.js';
export { type SyntheticDataset, syntheticDataset } from './synthetic-dataset.js';

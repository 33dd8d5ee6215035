export type { CohortKind, LeakCounts, SyntheticDatasetOptions } from './options.js';
export type { PlantedLeak } from './plan.js';
export { tissueOfOrgan } from './planners.js';
export { type SyntheticDataset, syntheticDataset } from './synthetic-dataset.js';

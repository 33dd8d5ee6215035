export type { CardContent } from './card.js';
export {
  type CompileDatasetOptions,
  type CompiledDataset,
  compileDataset,
  compilePart,
  finishDataset,
  shardFolder,
} from './compile-dataset.js';
export { placePatches, type SlideFacts } from './compile-slide.js';
export {
  type CutOptions,
  type CutSettings,
  cutSettings,
  describeSplit,
  inputHash,
  type SlideDataset,
} from './dataset.js';
export type { CompilePart } from './parts.js';
export { type CompilePlan, describePlan, planCompile } from './plan.js';
export {
  type CompileReport,
  countsByName,
  disagreements,
  knownNames,
  readReport,
  type SlideFailure,
  subjectOf,
} from './report.js';
export type { CompileProgress } from './shard-queue.js';

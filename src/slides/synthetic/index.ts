export type { BlockValues } from './draw-layout.js';
export { type TissueKind, tissueKind, tissueKinds } from './kinds/index.js';
export { materialShares } from './plan.js';
export { drawSite, type Scanner, type SyntheticSite, stainAround } from './scanner.js';
export {
  type DrawnSection,
  renderSection,
  type SectionFiles,
  type SyntheticSection,
  syntheticGeneratorVersion,
  type WrittenFile,
  writeSection,
} from './section.js';
export type { Lesion, SectionTissue } from './section-layout.js';
export { ruifrokJohnston, type SlideStain, type StainVector } from './stains.js';

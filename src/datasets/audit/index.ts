export {
  auditGivenSplit,
  auditRules,
  type FoldAudit,
  type GroupBy,
  patientsWithDuplicates,
  type RuleAuditOptions,
  type RuleAudits,
} from './audit-images.js';
export type { AuditedImage, AuditedImages, ImageFacts } from './images.js';
export { imagesOfShards, type ShardImagesOptions } from './of-shards.js';
export { imagesOfFolder, imagesOfTable, type UserImagesOptions } from './of-user.js';
export { type PlantedFinding, plantedFindings } from './planted.js';
export { similarNames } from './similar-names.js';

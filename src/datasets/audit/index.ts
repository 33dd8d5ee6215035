export {
  auditGivenSides,
  auditRules,
  type FoldAudit,
  type GroupBy,
  patientsWithDoubles,
  type RuleAuditOptions,
  type RuleAudits,
} from './audit-pictures.js';
export { writtenAlike } from './names-alike.js';
export { picturesOfShards, type ShardPicturesOptions } from './of-shards.js';
export { picturesOfFolder, picturesOfTable, type UserPicturesOptions } from './of-user.js';
export type { AuditedPicture, AuditedPictures, PictureFacts } from './pictures.js';
export { type PlantedFinding, plantedFindings } from './planted.js';

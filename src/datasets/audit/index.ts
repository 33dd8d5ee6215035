export {
  auditGivenSides,
  auditRules,
  type FoldAudit,
  type KeptTogether,
  type RuleAuditOptions,
  type RuleAudits,
} from './audit-pictures.js';
export { picturesOfShards, type ShardPicturesOptions } from './of-shards.js';
export { picturesOfFolder, picturesOfTable, type UserPicturesOptions } from './of-user.js';
export type { AuditedPicture, AuditedPictures } from './pictures.js';

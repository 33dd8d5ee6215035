import type { PlantedLeak } from '../cohort/index.js';
import { hashDistance } from '../perceptual-hash.js';
import type { GroupBy, RuleAudits } from './audit-images.js';
import type { AuditedImages } from './images.js';

/** A planted leak, and what an audit found of it. */
export interface PlantedFinding extends PlantedLeak {
  /** Bits in which the most alike of the two slides' images differ; null where one of the slides is not among them. */
  nearest: number | null;
  /** Pairs of their images that the audit finds near-duplicate, in any split. */
  alike: number;
  /** Folds of each rule in which such a pair is across splits. */
  folds: Readonly<Partial<Record<GroupBy, number>>>;
}

/** Looks for planted leaks in an audit. */
export function plantedFindings(
  planted: readonly PlantedLeak[],
  { images }: AuditedImages,
  { folds, distance }: RuleAudits,
): PlantedFinding[] {
  return planted.map((leak) => {
    const [originals, duplicates] = leak.slides.map((id) => images.filter(({ slide }) => slide === id));
    const distances = originals!.flatMap(({ hash }) =>
      duplicates!.map((duplicate) => hashDistance(hash, duplicate.hash)),
    );
    const isIts = (place: number) => leak.slides.includes(images[place]!.slide ?? '');
    const found: Partial<Record<GroupBy, number>> = {};
    for (const { by, audit } of folds) {
      const isThere = audit.nearDuplicates.some(({ rows }) => rows.every(isIts));
      found[by] = (found[by] ?? 0) + Number(isThere);
    }
    return {
      ...leak,
      nearest: distances.length > 0 ? Math.min(...distances) : null,
      alike: distances.filter((bits) => bits <= distance).length,
      folds: found,
    };
  });
}

import { type Key, key } from '../../base/index.js';
import type { SplitRule } from '../definition.js';
import { auditSplit, foldTable, type GroupKey } from './audit.js';
import { type SplitItem, splitSlides, TooFewError } from './split-slides.js';

/** The paper's seed, for a first estimate of its rule's leaks. */
export const paperSeed = 1234;

/** A rule's leaks in one fold. */
export interface RuleLeak {
  by: GroupKey;
  /** From 1. */
  fold: number;
  train: number;
  validation: number;
  test: number;
  excluded: number;
  /** Patients, sites and contents across splits. */
  patientsAcrossSplits: number;
  sitesAcrossSplits: number;
  exactDuplicatesAcrossSplits: number;
  /** Share of the held-out slides of a known patient whose patient is also in training. */
  heldOutWithPatientInTraining: number;
}

/** Splits slides by a rule and counts its leaks, fold by fold. */
export function ruleLeaks(
  slides: readonly (SplitItem & { sha256?: string | null })[],
  rule: SplitRule,
  from: Key = key(paperSeed),
): RuleLeak[] {
  const split = splitSlides(slides, rule, from);
  const patients = new Map(slides.map(({ id, patient }) => [id, patient]));
  return split.folds.map((fold, index) => {
    const { leaks } = auditSplit(foldTable(slides, fold), { apart: ['patient', 'site'] });
    const inTraining = new Set(fold.train.map((id) => patients.get(id)));
    const heldOut = [...fold.validation, ...fold.test].filter((id) => patients.get(id) !== null);
    const count = (kind: string) => leaks.filter((leak) => leak.kind === kind).length;
    return {
      by: rule.by,
      fold: index + 1,
      train: fold.train.length,
      validation: fold.validation.length,
      test: fold.test.length,
      excluded: split.excluded.length,
      patientsAcrossSplits: count('patient'),
      sitesAcrossSplits: count('site'),
      exactDuplicatesAcrossSplits: count('exact duplicate'),
      heldOutWithPatientInTraining:
        heldOut.length === 0 ? 0 : heldOut.filter((id) => inTraining.has(patients.get(id)!)).length / heldOut.length,
    };
  });
}

/** A rule's leaks; null if there are too few slides for it. */
export function ruleLeaksIfEnough(...asked: Parameters<typeof ruleLeaks>): RuleLeak[] | null {
  try {
    return ruleLeaks(...asked);
  } catch (error) {
    if (error instanceof TooFewError) return null;
    throw error;
  }
}

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SplitRule } from '../definition.js';
import type { ExcludedByReason } from '../excluded.js';
import type { SlideFacts } from './compile-slide.js';
import type { CutSettings } from './dataset.js';

/** A slide that gave no shard, or a precut patch that gave no image, and why. */
export interface SlideFailure {
  slide: string;
  reason: string;
}

/** `report.json`: what lies in the folder, and what does not and why. */
export interface CompileReport {
  dataset: string;
  title: string;
  licence: string;
  citation: string;
  origin: string;
  /** Names of the definition's classes, in the order of their numbers, which are the values of masks. */
  classes: readonly string[];
  split: SplitRule;
  /** `split` in words. */
  splitRule: string;
  resolved: boolean;
  knownFaults: readonly string[];
  /** Of the list that was compiled; null where that had no hash (see `inputHash`). */
  inputHash: string | null;
  shardVersion: number;
  jpegQuality: number;
  /** Of precut patches there is only the size of the images, and whether they are PNG. */
  settings: CutSettings | { geometry: { pixels: number }; lossless?: boolean };
  settingsHash: string;
  slides: readonly (SlideFacts & { shard: string })[];
  /** Of precut patches only: how many images keep their file's bytes, and how many were re-encoded. */
  precut?: { shards: number; copied: number; encoded: number };
  failures: readonly SlideFailure[];
  /** What the list that was compiled leaves out. */
  excluded: readonly ExcludedByReason[];
  counts: {
    patches: number;
    /** Of the JPEGs and masks. */
    bytes: number;
    byClass: Readonly<Record<string, number>>;
    byPatient: Readonly<Record<string, number>>;
    /** By the side that the user's table puts them on; only where it does. */
    bySide?: Readonly<Record<string, number>>;
    bySite: Readonly<Record<string, number>>;
    synthetic: number;
  };
}

/** What slides say of their magnification that does not fit together: never guessed in silence. */
export function disagreements(report: Pick<CompileReport, 'slides'>): { slide: string; words: string }[] {
  return report.slides.flatMap(({ slide, magnification: { disagreement } }) =>
    disagreement === undefined ? [] : [{ slide, words: disagreement }],
  );
}

/** What numbers and charts of a compiled dataset are of: synthetic slides are always called so. */
export function subjectOf({ counts, dataset }: Pick<CompileReport, 'counts' | 'dataset'>): string {
  return counts.synthetic > 0 ? 'SYNTHETIC slides' : dataset;
}

/** Under this name the counts list patches without a class, patient or site. */
export const unknownName = '(unknown)';

/** The classes, patients or sites that counts name; patches without one are counted as unknown. */
export function knownNames(counts: Readonly<Record<string, number>>): string[] {
  return Object.keys(counts).filter((name) => name !== unknownName);
}

/**
 * Reads the report of a compiled dataset.
 *
 * @throws Error when the folder has none, or one that is damaged or of something else
 */
export async function readReport(folder: string): Promise<CompileReport> {
  try {
    const report = JSON.parse(await readFile(join(folder, 'report.json'), 'utf8')) as Partial<CompileReport> | null;
    if (!report?.settings?.geometry || !report.counts || !report.classes)
      throw new Error('its report.json is not a report');
    return report as CompileReport;
  } catch (error) {
    throw new Error(`${folder} is not a compiled dataset (${(error as Error).message}); run "pathlab compile" first`);
  }
}

/** Counts in the order of their names. A record would put names such as 10 before 01. */
export function countsByName(counts: Readonly<Record<string, number>>): (readonly [name: string, count: number])[] {
  return Object.entries(counts).sort(([one], [other]) => (one < other ? -1 : 1));
}

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SplitRule } from '../definition.js';
import type { ExcludedByReason } from '../excluded.js';
import { shardVersion } from '../shards/index.js';
import type { SlideFacts } from './compile-slide.js';
import type { CutSettings } from './dataset.js';

/** A slide or precut patch that failed, and the reason. */
export interface SlideFailure {
  slide: string;
  reason: string;
}

/** `report.json`: the contents of the folder, failures and exclusions. */
export interface CompileReport {
  dataset: string;
  title: string;
  licence: string;
  citation: string;
  origin: string;
  /** The definition's class names, in the order of their numbers, which are the values of masks. */
  classes: readonly string[];
  /** Values of the source's masks whose pixels do not count and are 255 in the shards'; only if there are some. */
  ignoredMaskValues?: readonly number[];
  split: SplitRule;
  /** `split` in words. */
  splitRule: string;
  resolved: boolean;
  knownFaults: readonly string[];
  /** Hash of the compiled list; null if it has none (see `inputHash`). */
  inputHash: string | null;
  shardVersion: number;
  jpegQuality: number;
  /** For precut patches only the image size, and whether they are PNG. */
  settings: CutSettings | { geometry: { pixels: number }; lossless?: boolean };
  settingsHash: string;
  slides: readonly (SlideFacts & { shard: string })[];
  /** For precut patches only: numbers of copied and of re-encoded images. */
  precut?: { shards: number; copied: number; encoded: number };
  failures: readonly SlideFailure[];
  /** The exclusions of the compiled list. */
  excluded: readonly ExcludedByReason[];
  counts: {
    patches: number;
    /** Bytes of JPEGs and masks. */
    bytes: number;
    byClass: Readonly<Record<string, number>>;
    byPatient: Readonly<Record<string, number>>;
    /** By their split in the user's table; only if it has one. */
    bySplit?: Readonly<Record<string, number>>;
    bySite: Readonly<Record<string, number>>;
    synthetic: number;
  };
}

/** Contradictions in the slides' magnification metadata, which are always reported. */
export function disagreements(report: Pick<CompileReport, 'slides'>): { slide: string; words: string }[] {
  return report.slides.flatMap(({ slide, magnification: { disagreement } }) =>
    disagreement === undefined ? [] : [{ slide, words: disagreement }],
  );
}

/** The subject of numbers and charts of a compiled dataset: synthetic slides are always named so. */
export function subjectOf({ counts, dataset }: Pick<CompileReport, 'counts' | 'dataset'>): string {
  return counts.synthetic > 0 ? 'SYNTHETIC slides' : dataset;
}

/** The counts' name for patches without a class, patient or site. */
export const unknownName = '(unknown)';

/** The classes, patients or sites in counts, without the unknown. */
export function knownNames(counts: Readonly<Record<string, number>>): string[] {
  return Object.keys(counts).filter((name) => name !== unknownName);
}

/**
 * Reads the report of a compiled dataset.
 *
 * @throws Error when the folder has no valid report, or shards of another version
 */
export async function readReport(folder: string): Promise<CompileReport> {
  let report: Partial<CompileReport> | null;
  try {
    report = JSON.parse(await readFile(join(folder, 'report.json'), 'utf8')) as Partial<CompileReport> | null;
    if (!report?.settings?.geometry || !report.counts || !report.classes)
      throw new Error('its report.json is not a report');
  } catch (error) {
    throw new Error(`${folder} is not a compiled dataset (${(error as Error).message}); run "pathlab compile" first`);
  }
  if (report.shardVersion !== shardVersion) {
    throw new Error(
      `${folder} has shards of version ${report.shardVersion}; this version of pathlab reads version ${shardVersion}. Run ` +
        '"pathlab compile" again, which writes a new folder',
    );
  }
  return report as CompileReport;
}

/** Counts sorted by name. A record would put 10 before 01. */
export function countsByName(counts: Readonly<Record<string, number>>): (readonly [name: string, count: number])[] {
  return Object.entries(counts).sort(([one], [other]) => (one < other ? -1 : 1));
}

import type { DownloadResult } from '../download/index.js';
import { byReason, type ExcludedByReason } from './excluded.js';
import { filesOf } from './lock-file.js';
import { isResolved } from './read-definition.js';
import type { ResolvedDataset } from './resolve-dataset.js';
import { type RuleLeak, ruleLeaksIfEnough } from './splits/index.js';

/** Contents and exclusions of a dataset's list. */
export interface ListFacts {
  dataset: string;
  title: string;
  resolution: string;
  /** Whether the list is verified (`resolution`); compiling reports the same. */
  resolved: boolean;
  resolvedFrom: string;
  listSha256: string;
  synthetic: boolean;
  licence: string;
  citation: string;
  /** Notes on errors of the source, and on details that the paper does not give. */
  notes: readonly string[];
  slides: number;
  /** How many are selected, if a limit was set. */
  wanted: number;
  files: number;
  bytes: number;
  patients: number;
  sites: number;
  withoutPatient: number;
  withoutSite: number;
  classes: Record<string, number>;
  /**
   * Leaks of the definition's own split rule, with the paper's seed; null if the slides (or those of a class, or with a
   * known site) are too few for it.
   */
  split: readonly RuleLeak[] | null;
  excluded: ExcludedByReason[];
}

/** `report.json` of a fetch. */
export interface FetchReport extends ListFacts {
  /** Slides with all files. */
  ready: number;
  failed: readonly { path: string; reason: string }[];
}

/** Counts a list's contents, within the limit if one was set. */
export function listFacts(dataset: ResolvedDataset): ListFacts {
  const { definition, lock, slides, resolution } = dataset;
  const files = slides.flatMap(filesOf);
  const distinct = (values: readonly (string | null)[]) => new Set(values.filter((value) => value !== null)).size;
  const classes: Record<string, number> = {};
  for (const { class: name } of slides) if (name !== null) classes[name] = (classes[name] ?? 0) + 1;
  return {
    dataset: definition.name,
    title: definition.title,
    resolution,
    resolved: isResolved(definition),
    resolvedFrom: lock.resolvedFrom,
    listSha256: lock.listSha256,
    synthetic: lock.synthetic,
    licence: lock.licence,
    citation: definition.citation,
    notes: definition.notes,
    slides: lock.slides.length,
    wanted: slides.length,
    files: files.length,
    bytes: files.reduce((sum, file) => sum + file.bytes, 0),
    patients: distinct(slides.map(({ patient }) => patient)),
    sites: distinct(slides.map(({ site }) => site)),
    withoutPatient: slides.filter(({ patient }) => patient === null).length,
    withoutSite: slides.filter(({ site }) => site === null).length,
    classes: Object.fromEntries(Object.entries(classes).sort(([one], [other]) => (one < other ? -1 : 1))),
    split: leaksOf(dataset),
    excluded: byReason(lock.excluded),
  };
}

function leaksOf({ definition, slides }: ResolvedDataset): readonly RuleLeak[] | null {
  const all = slides.map((slide) => ({ ...slide, sha256: slide.file.sha256 ?? slide.file.md5 }));
  return ruleLeaksIfEnough(all, definition.split);
}

export function fetchReport(dataset: ResolvedDataset, downloads: DownloadResult, ready: number): FetchReport {
  return { ...listFacts(dataset), ready, failed: downloads.failed };
}

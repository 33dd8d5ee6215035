import type { Key } from '../../base/index.js';
import {
  drawSite,
  type Lesion,
  type SectionTissue,
  type SyntheticSection,
  type SyntheticSite,
  stainAround,
} from '../../slides/index.js';
import type { SyntheticDatasetSettings } from './options.js';

/** A slide of a synthetic dataset, before it is drawn. */
export interface PlannedSlide {
  id: string;
  patient: string;
  site: string;
  /** What the source would say of the whole slide; null where it says nothing. */
  class: string | null;
  section: SyntheticSection;
  /** Files that lie beside the slide. */
  mask: boolean;
  annotation: boolean;
}

/** Two slides of one tissue that are filed under two patients. */
export interface PlantedLeak {
  /** The same file; the same slide scanned again on the same scanner; or on another site's. */
  kind: 'exact' | 'near' | 'rescanned';
  /** The original and its double. */
  slides: readonly [original: string, duplicate: string];
  patients: readonly [original: string, duplicate: string];
}

/** What makes one dataset's slides different from another's. */
export interface CohortPlanner {
  /** What is drawn, in a sentence for the definition's notes. */
  form: string;
  /** Names and pixel sizes (um) of the sites whose slides it holds. */
  sites: readonly { id: string; umPerPixel: number }[];
  /** The patients, with what decides their tissue. */
  patients(settings: SyntheticDatasetSettings, siteIds: readonly string[]): PlannedPatient[];
}

export interface PlannedPatient {
  id: string;
  site: string;
  class: string | null;
  /** Name of the patient's slide by number, from 1. */
  slideId(number: number): string;
  /** The section's outline, kinds and lesions; size and seeds come from the settings. */
  tissue: Pick<SectionTissue, 'outline' | 'cores' | 'kind' | 'mask'> & { lesions: readonly Lesion[] };
  mask: boolean;
  annotation: boolean;
}

/** Plans every slide of a dataset. The same settings and key give the same plan. */
export function planCohort(
  planner: CohortPlanner,
  settings: SyntheticDatasetSettings,
  key: Key,
): { slides: PlannedSlide[]; leaks: PlantedLeak[] } {
  const sites = planner.sites
    .slice(0, settings.sites)
    .map(({ id, umPerPixel }) => drawSite(id, umPerPixel, key.fold('site').fold(id).generator()));
  const patients = planner.patients(
    settings,
    sites.map(({ id }) => id),
  );
  const slides = patients.flatMap((patient, index) => {
    const site = sites.find(({ id }) => id === patient.site)!;
    // Every patient has one slide, every second one has two, and so on.
    const count = 1 + (index % settings.slidesPerPatient);
    return Array.from({ length: count }, (_, slide) => planSlide(patient, slide + 1, site, settings, key));
  });
  return plantLeaks(slides, sites, settings, key);
}

function planSlide(
  patient: PlannedPatient,
  number: number,
  site: SyntheticSite,
  { columns, rows }: SyntheticDatasetSettings,
  key: Key,
): PlannedSlide {
  const id = patient.slideId(number);
  return {
    id,
    patient: patient.id,
    site: site.id,
    class: patient.class,
    section: {
      tissue: {
        ...patient.tissue,
        seed: `${key}/${id}`,
        patientSeed: `${key}/${patient.id}`,
        widthMicrometers: 200 * columns,
        heightMicrometers: 200 * rows,
      },
      stain: stainAround(site, key.fold('stain').fold(id).generator()),
      scanner: site.scanner,
    },
    mask: patient.mask,
    annotation: patient.annotation,
  };
}

/** Adds duplicates of slides drawn by lot, each under a patient of its own. */
function plantLeaks(
  slides: readonly PlannedSlide[],
  sites: readonly SyntheticSite[],
  { leaks }: SyntheticDatasetSettings,
  key: Key,
): { slides: PlannedSlide[]; leaks: PlantedLeak[] } {
  const wanted = (['exact', 'near', 'rescanned'] as const).flatMap((kind) =>
    new Array<PlantedLeak['kind']>(leaks[kind]).fill(kind),
  );
  if (wanted.length > slides.length) {
    throw new RangeError(
      `${wanted.length} leaks were asked for, but there are only ${slides.length} slides to duplicate`,
    );
  }
  const originals = key
    .fold('leaks')
    .generator()
    .shuffle([...slides])
    .slice(0, wanted.length);
  const planted = wanted.map((kind, index) => {
    const original = originals[index]!;
    const duplicate = duplicateOf(original, kind, index + 1, sites);
    const pair: PlantedLeak = {
      kind,
      slides: [original.id, duplicate.id],
      patients: [original.patient, duplicate.patient],
    };
    return { duplicate, pair };
  });
  return {
    slides: [...slides, ...planted.map(({ duplicate }) => duplicate)],
    leaks: planted.map(({ pair }) => pair),
  };
}

function duplicateOf(
  original: PlannedSlide,
  kind: PlantedLeak['kind'],
  number: number,
  sites: readonly SyntheticSite[],
): PlannedSlide {
  const { section } = original;
  const other = sites[(sites.findIndex(({ id }) => id === original.site) + 1) % sites.length]!;
  const again = { ...section.scanner, jpegQuality: section.scanner.jpegQuality - 10, blurPixels: 1 };
  const scanners = { exact: section.scanner, near: again, rescanned: other.scanner };
  if (kind === 'rescanned' && other.id === original.site) {
    throw new RangeError('rescanning a slide at another site needs at least two sites');
  }
  return {
    ...original,
    id: `${original.id}-double-${number}`,
    patient: `double-${number}`,
    site: kind === 'rescanned' ? other.id : original.site,
    section: { ...section, scanner: scanners[kind] },
  };
}

import { type CohortKind, planners } from './planners.js';

export interface SyntheticDatasetOptions {
  /** The definition whose form the dataset takes: its classes, labels, geometry and split rule. */
  kind: CohortKind;
  /** Patients: of each class (ptcga200), of each of tumor and normal (pcam200), in all (segpanda200). */
  patients: number;
  /** The most slides of a patient; every patient has one, and of n in a row one has n. */
  slidesPerPatient?: number;
  /** How many sites; by default as many as the kind has. */
  sites?: number;
  /** ptcga200: how many of the classes, from the first; by default all. */
  classes?: number;
  /** Size of a slide's tissue, in patches of 200 um; of each core for segpanda200. */
  columns?: number;
  rows?: number;
  /** Doubles to plant for an audit to find. */
  leaks?: Partial<LeakCounts>;
}

export interface LeakCounts {
  /** The same file under another patient. */
  exact: number;
  /** The same slide scanned again on the same scanner. */
  near: number;
  /** The same slide scanned again at another site. */
  rescanned: number;
}

/** Options with what was left out filled in, and the names of the classes. */
export interface SyntheticDatasetSettings extends Required<Omit<SyntheticDatasetOptions, 'classes'>> {
  classes: readonly string[];
  leaks: LeakCounts;
}

/**
 * Fills in what was left out.
 *
 * @param classNames of the definition, in the order of labels
 * @throws RangeError that names the option, what it takes, and what it got
 */
export function syntheticDatasetSettings(
  options: SyntheticDatasetOptions,
  classNames: readonly string[],
): SyntheticDatasetSettings {
  const { kind } = options;
  if (options.classes !== undefined && kind !== 'ptcga200') {
    throw new RangeError(`classes can be chosen for ptcga200 only; ${kind} has all of its own`);
  }
  const sites = planners[kind].sites.length;
  const isBiopsy = kind.startsWith('segpanda200');
  return {
    kind,
    patients: whole('patients', options.patients, 1, 99),
    slidesPerPatient: whole('slidesPerPatient', options.slidesPerPatient ?? 1, 1, 9),
    sites: whole('sites', options.sites ?? sites, 1, sites),
    columns: whole('columns', options.columns ?? (isBiopsy ? 8 : 5), 1, 40),
    rows: whole('rows', options.rows ?? (isBiopsy ? 2 : 4), 1, 40),
    classes: classNames.slice(0, whole('classes', options.classes ?? classNames.length, 1, classNames.length)),
    leaks: {
      exact: whole('leaks.exact', options.leaks?.exact ?? 0, 0, 99),
      near: whole('leaks.near', options.leaks?.near ?? 0, 0, 99),
      rescanned: whole('leaks.rescanned', options.leaks?.rescanned ?? 0, 0, 99),
    },
  };
}

function whole(name: string, value: number, least: number, most: number): number {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value;
  throw new RangeError(`${name} is a whole number from ${least} to ${most}; got ${value}`);
}

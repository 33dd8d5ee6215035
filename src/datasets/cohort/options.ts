/** The definitions whose form a synthetic dataset can take. */
export type CohortKind = 'ptcga200' | 'pcam200' | 'segpanda200' | 'segpanda200-both-providers';

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
  /** Duplicates to plant for an audit to find. */
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

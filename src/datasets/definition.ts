import type { PatchGeometry } from '../slides/index.js';

/**
 * What a dataset is made of: a file of `data-manifests/`, or one of the user's own. It says where the slides (or
 * precut patches) come from and what is done with them; which files those are is resolved into a `LockFile`.
 */
export interface DatasetDefinition {
  format: 1;
  /** The file's own name, without `.json`. */
  name: string;
  title: string;
  /** Slides are cut into patches; patches are taken as they are. */
  unit: 'slides' | 'patches';
  synthetic: boolean;
  /** Who published it; without an address, a user's own data. */
  origin: { name: string; url: string | null };
  source: DatasetOrigin;
  /** Files below this size are left out: thumbnails that a source lists among its slides. 0 keeps all. */
  minimumBytes: number;
  /** Slides that the source lists and that are not to be used, each with its reason. */
  exclusions: readonly { id: string; reason: string }[];
  labels: LabelRule;
  /** How patches are cut; null where the unit is patches. */
  geometry: DatasetGeometry | null;
  split: SplitRule;
  licence: { name: string; url: string | null };
  citation: string;
  /** What a reader must know beyond the fields: faults of the source, and what the paper leaves open. */
  notes: readonly string[];
  /** What the source gave when it was resolved; null until then. */
  expected: { slides: number; patients: number; bytes: number } | null;
  /** Hash of the resolved list (`LockFile.listSha256`); null until it was resolved against the real source. */
  resolvedSha256: string | null;
}

/** Where the files are. Addresses and folders can be overridden when a definition is resolved. */
export type DatasetOrigin = GdcSource | BucketSource | PandaSource | FolderSource | TableSource;

/** The Genomic Data Commons' API: its files endpoint lists, its data endpoint gives. */
export interface GdcSource {
  kind: 'gdc';
  endpoint: string;
  /** The query, in the API's own filter language. */
  filters: Record<string, unknown>;
}

/** A public bucket with the S3 listing protocol. Paths are under `prefix`; `{id}` stands for the slide's id. */
export interface BucketSource {
  kind: 'bucket';
  endpoint: string;
  prefix: string;
  images: string;
  annotations: string | null;
  masks: string | null;
  /** Slides whose ids begin so must have polygons; without them they are left out. */
  annotatedPrefix: string | null;
  /** Which slides are of which site; a slide of no range has no site. */
  sites: readonly { site: string; ids: readonly { prefix: string; first: number; last: number }[] }[];
}

/** The PANDA challenge, from the folder that the user downloaded from its host. */
export interface PandaSource {
  kind: 'panda';
  folder: string | null;
  /** Which providers' slides are used: `radboud`, `karolinska`. */
  providers: readonly string[];
  /** Images whose perceptual hashes (256 bits) differ in at most this many bits are one duplicate group. */
  duplicateDistance: number;
}

/** A folder with a folder of patches for each class. The definition's folder is where a relative path starts. */
export interface FolderSource {
  kind: 'folder';
  folder: string;
  /** Finds the patient in a file's name: a regular expression with one group; null where no name has one. */
  patientPattern: string | null;
}

/** A table (CSV, with a header) of patches (`csv`) or of slides (`slides`) that lie in a folder. */
export interface TableSource {
  kind: 'csv' | 'slides';
  table: string;
  /** The folder that the table's paths start from. */
  folder: string;
  /** The table's column for each part of a record; only `path` is required. */
  columns: {
    path: string;
    id?: string;
    class?: string;
    patient?: string;
    site?: string;
    mask?: string;
    annotation?: string;
    mpp?: string;
    /** Side of a split: train, validation (or val, valid) or test. */
    side?: string;
  };
  /** Whose word on the size of a pixel counts where a slide's file and the column `mpp` differ; the file's by default. */
  pixelSize?: 'file' | 'table';
}

/** A class by its name in tables and pages, and the number that networks learn. */
export interface DatasetClass {
  name: string;
  label: number;
}

/** Where a patch's class comes from. */
export type LabelRule =
  | {
      /** From its slide: what the source says of it, by `values` to a class. */
      from: 'slide';
      classes: readonly DatasetClass[];
      /** The source's word (any case) to a class's name. */
      values: Readonly<Record<string, string>>;
      /** What happens to a slide whose value is not in the map: an error, or it is left out and counted. */
      others: 'refuse' | 'exclude';
    }
  | {
      /** From polygons: inside those of a group, the group's class; elsewhere `outside`. */
      from: 'annotation';
      classes: readonly DatasetClass[];
      outside: string;
      /**
       * Annotation group to class. A later group lies over an earlier one; those named by whole numbers come first, in
       * the order of the numbers, as JavaScript reads JSON.
       */
      groups: Readonly<Record<string, string>>;
    }
  | {
      /** From a mask image beside it: the red channel's value, by the site's map (`*`: any site), to a class. */
      from: 'mask';
      classes: readonly DatasetClass[];
      values: Readonly<Record<string, Readonly<Record<string, string>>>>;
    }
  | { from: 'none' };

export interface DatasetGeometry extends PatchGeometry {
  /** Drawn at random from a slide that has more; null: all. */
  maxPatchesPerSlide: number | null;
  /** Share of a patch that must be tissue. */
  minimumTissue: number;
}

/** What a patch is for. */
export type SplitName = 'train' | 'validation' | 'test';

export interface SplitRule {
  /** What may not be on two sides. */
  by: 'slide' | 'patient' | 'site';
  validation: number;
  test: number;
  folds: number;
  /** Keep the classes' proportions on each side. */
  stratified: boolean;
}

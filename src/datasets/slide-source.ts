import type { SplitName } from './definition.js';

/** A slide that patches are to be cut from. */
export interface SlideSource {
  /** Names the slide in shards, tables and splits. */
  id: string;
  path: string;
  synthetic: boolean;
  licence: string;
  /** Where it comes from, in words. */
  origin: string;
  sha256: string;
  /** Size of a level-0 pixel, um, as the table says, and whether its word counts before the file's. */
  mpp?: number;
  mppFrom?: 'caller';
}

/** What provenance keeps of a slide that was read. */
export function dataFacts({ id, origin, licence, synthetic, sha256 }: Omit<SlideSource, 'path'>) {
  return { name: id, origin, licence, synthetic, sha256 };
}

/** A slide (or precut patch) of a dataset, its files in place, as compiling takes it. `null`: not known, or none. */
export interface DatasetSlide extends SlideSource {
  patient: string | null;
  site: string | null;
  /** Name of its class in the definition's `labels.classes`, where a whole slide has one. */
  class: string | null;
  /** The mask's file beside it. */
  mask: string | null;
  /** The polygons' file beside it: ASAP XML or GeoJSON. */
  annotation: string | null;
  /** Its split in the user's table, if given. */
  split?: SplitName;
}

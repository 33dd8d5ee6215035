import type { SyntheticSlideRecord } from '../slides/index.js';

/** A slide that patches are to be cut from. */
export interface SlideSource {
  /** Names the slide in patch sets, tables and splits. */
  id: string;
  path: string;
  synthetic: boolean;
  licence: string;
  /** Where it comes from, in words. */
  origin: string;
  sha256: string;
  /** Size of a level-0 pixel, um, for a file that does not say it. */
  mpp?: number;
  /** What was drawn where; only synthetic slides have it, and only they give labels. */
  record?: SyntheticSlideRecord;
}

import type { ExcludedSlide, LockedSlide } from '../lock-file.js';

/** A slide as a source lists it, with the source's raw label. */
export interface ListedSlide extends Omit<LockedSlide, 'class'> {
  /** The source's raw label; null if there is none. */
  word: string | null;
}

/** A source's slides, and its invalid entries. */
export interface SourceList {
  slides: ListedSlide[];
  excluded: ExcludedSlide[];
  /** Where the list came from, in words. */
  from: string;
}

/** An invalid entry, which is excluded. */
export function faultOf(id: string, error: Error): ExcludedSlide & { fault: true } {
  return { id, reason: error.message, fault: true };
}

import type { ExcludedSlide, LockedSlide } from '../lock-file.js';

/** A slide as a source lists it: its class is still the source's own word. */
export interface ListedSlide extends Omit<LockedSlide, 'class'> {
  /** What the source says of its class; null where it says nothing. */
  word: string | null;
}

/** What a source lists, and what in it cannot be used. */
export interface SourceList {
  slides: ListedSlide[];
  excluded: ExcludedSlide[];
  /** Where the list came from, for people. */
  from: string;
}

/** An entry of a list that is wrong, and so left out. */
export function faultOf(id: string, error: Error): ExcludedSlide & { fault: true } {
  return { id, reason: error.message, fault: true };
}

import type { Lattice } from '../noise.js';

/**
 * Where things lie at one place of a tissue kind, all in micrometers. Only the order of the values counts: the
 * renderer gives the places with the highest `lumen` to the lumen, then those with the highest `stroma` to the
 * stroma, and the rest to the epithelium, so that every kind has the same areas of each. Nuclei fill the epithelium
 * from the highest `nuclei` on.
 */
export interface Place {
  lumen: number;
  stroma: number;
  nuclei: number;
}

/** A tissue kind: an arrangement of the same materials in the same amounts as every other kind. */
export interface TissueKind {
  name: string;
  about: string;
  /** Long side of a nucleus over its short side. */
  elongation: number;
  /** How long nuclei lie: along the stroma's border, at right angles to it, or anyhow. */
  orientation: 'along' | 'across' | 'random';
  /** Fills `place` for the point (x, y) in micrometers, in the tissue's own frame. */
  arrange(lattice: Lattice, x: number, y: number, place: Place): void;
}

/** Distance in micrometers from (x, y) to the nearest middle of bands `period` wide. */
export function fromMiddleOfBand(y: number, period: number): number {
  const phase = y / period;
  return Math.abs(phase - Math.round(phase)) * period;
}

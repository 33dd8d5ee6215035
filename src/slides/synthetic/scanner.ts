import type { Generator } from '../../base/index.js';
import { colorTable, drawStain, type SlideStain } from './stains.js';

/** What a scanner does to the light that comes through a slide. */
export interface Scanner {
  /** Size of a pixel, um. */
  umPerPixel: number;
  /** Exponent in red, green and blue on the share of the glass's light that comes through (1: none). */
  gamma: readonly [red: number, green: number, blue: number];
  /** Share of each channel that leaks in from the mean of the three: a dull scanner has more. */
  crosstalk: number;
  /** Standard deviation of its blur, px. */
  blurPixels: number;
  jpegQuality: number;
}

/** A place where slides are stained and scanned: a hospital. */
export interface SyntheticSite {
  id: string;
  /** What its slides are stained like on average. */
  stain: SlideStain;
  scanner: Scanner;
}

/**
 * Draws a site. Sites differ as laboratories do (see `drawStain`), and by what their scanners do to colors: gammas from
 * 0.85 to 1.2, crosstalk up to 0.14.
 *
 * @param umPerPixel of its scanner
 */
export function drawSite(id: string, umPerPixel: number, random: Generator): SyntheticSite {
  const gamma = () => random.between(0.85, 1.2);
  return {
    id,
    stain: drawStain(random),
    scanner: {
      umPerPixel,
      gamma: [gamma(), gamma(), gamma()],
      crosstalk: random.between(0, 0.14),
      blurPixels: random.between(0.35, 0.85),
      jpegQuality: 70 + random.integer(21),
    },
  };
}

/** One slide's stain: within a laboratory, days and batches differ by a fifth of what laboratories do. */
export function stainAround({ stain }: SyntheticSite, random: Generator): SlideStain {
  const moved = (vector: SlideStain['glass'], spread: number): SlideStain['glass'] => [
    vector[0] + spread * random.between(-1, 1),
    vector[1] + spread * random.between(-1, 1),
    vector[2] + spread * random.between(-1, 1),
  ];
  return {
    hematoxylin: moved(stain.hematoxylin, 0.012),
    eosin: moved(stain.eosin, 0.012),
    hematoxylinAmount: stain.hematoxylinAmount * Math.exp(random.between(-0.06, 0.06)),
    eosinAmount: stain.eosinAmount * Math.exp(random.between(-0.08, 0.08)),
    glass: moved(stain.glass, 1.5),
  };
}

/** What the scanner makes of each pair of stain concentrations; see `colorTable`. Scanners balance glass: the gammas leave it. */
export function scannedColors(stain: SlideStain, { gamma, crosstalk }: Scanner): Uint8Array {
  const table = colorTable(stain);
  const curves = stain.glass.map((glass, channel) =>
    Float32Array.from({ length: 256 }, (_, light) => glass * (light / glass) ** gamma[channel]!),
  );
  for (let at = 0; at < table.length; at += 3) {
    const mean = (table[at]! + table[at + 1]! + table[at + 2]!) / 3;
    for (let channel = 0; channel < 3; channel++) {
      const light = Math.round((1 - crosstalk) * table[at + channel]! + crosstalk * mean);
      table[at + channel] = Math.min(255, Math.round(curves[channel]![light]!));
    }
  }
  return table;
}

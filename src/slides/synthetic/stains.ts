import type { Generator } from '../../base/index.js';

/** Optical density of one unit of stain in red, green and blue. */
export type StainVector = readonly [red: number, green: number, blue: number];

/** Haematoxylin and eosin, from table 2 of Ruifrok and Johnston, Anal Quant Cytol Histol 2001;23:291-299. */
export const ruifrokJohnston: { hematoxylin: StainVector; eosin: StainVector } = {
  hematoxylin: [0.65, 0.704, 0.286],
  eosin: [0.072, 0.99, 0.105],
};

/** How one laboratory stained and one scanner saw a slide. */
export interface SlideStain {
  hematoxylin: StainVector;
  eosin: StainVector;
  /** Factors on the amount of each stain. */
  hematoxylinAmount: number;
  eosinAmount: number;
  /** Light through empty glass, 0 to 255 in red, green and blue. */
  glass: StainVector;
}

/**
 * Draws one slide's stain. The spread is that between laboratories: amounts vary by about a fifth (the range of
 * "HED-strong" in Tellez et al., Medical Image Analysis 2019;58:101544), vectors by a few degrees.
 */
export function drawStain(random: Generator): SlideStain {
  return {
    hematoxylin: turned(ruifrokJohnston.hematoxylin, random, 0.09),
    eosin: turned(ruifrokJohnston.eosin, random, 0.09),
    hematoxylinAmount: Math.exp(random.between(-0.3, 0.3)),
    eosinAmount: Math.exp(random.between(-0.4, 0.4)),
    glass: [random.between(236, 250), random.between(236, 250), random.between(236, 250)],
  };
}

function turned(vector: StainVector, random: Generator, spread: number): StainVector {
  const moved = vector.map((part) => Math.max(0.02, part + spread * random.between(-1, 1)));
  const length = Math.hypot(...moved);
  return [moved[0]! / length, moved[1]! / length, moved[2]! / length];
}

/** Concentrations are kept as bytes; one unit of stain is this many of them. */
export const concentrationUnit = 100;

/**
 * Colors of every pair of concentrations: `table[3 * (256 * hematoxylin + eosin) + channel]`, by the law of Beer
 * and Lambert, `glass * exp(-(h * H + e * E))`.
 */
export function colorTable(stain: SlideStain): Uint8Array {
  const table = new Uint8Array(256 * 256 * 3);
  for (let channel = 0; channel < 3; channel++) {
    const perHematoxylin = (stain.hematoxylin[channel]! * stain.hematoxylinAmount) / concentrationUnit;
    const perEosin = (stain.eosin[channel]! * stain.eosinAmount) / concentrationUnit;
    for (let hematoxylin = 0; hematoxylin < 256; hematoxylin++) {
      for (let eosin = 0; eosin < 256; eosin++) {
        const light = stain.glass[channel]! * Math.exp(-(hematoxylin * perHematoxylin + eosin * perEosin));
        table[3 * (256 * hematoxylin + eosin) + channel] = Math.round(light);
      }
    }
  }
  return table;
}

import type { Generator } from '../../base/index.js';
import type { TissueKind } from './kinds/index.js';
import { Lattice } from './noise.js';

/** Share of the area that every kind gives to each material. */
export const materialShares = { lumen: 0.1, stroma: 0.28, cytoplasm: 0.4, nucleus: 0.22 } as const;

/** Of the nuclei's area, the part that lies in the stroma (fibroblasts). */
export const stromalPart = 0.09;

/** How a slide's tissue departs from the mean: the same for every kind on it. */
export interface TissueStyle {
  /** Size of structures over their usual size. */
  scale: number;
  /** Diameter of a round nucleus, um. */
  nucleusDiameter: number;
}

/** Where things are to lie, at points `planStep` apart. */
export interface TissuePlan {
  columns: number;
  rows: number;
  /** Positive inside the lumen; near its border the distance from it, um. */
  lumen: Float32Array;
  /** The same for the stroma. */
  stroma: Float32Array;
  /** Nuclei go where this is highest first. */
  nuclei: Float32Array;
}

/** Distance between a plan's points, um. */
export const planStep = 2;

/**
 * Works out where a kind puts things, turned by a random angle, and draws the borders so that lumen and stroma get
 * their shares of the area.
 */
export function planTissue(
  kind: TissueKind,
  columns: number,
  rows: number,
  style: TissueStyle,
  random: Generator,
): TissuePlan {
  const lattice = new Lattice(random);
  const lumen = new Float32Array(columns * rows);
  const stroma = new Float32Array(columns * rows);
  const nuclei = new Float32Array(columns * rows);
  const angle = random.between(0, 2 * Math.PI);
  const cosine = (Math.cos(angle) * planStep) / style.scale;
  const sine = (Math.sin(angle) * planStep) / style.scale;
  const place = { lumen: 0, stroma: 0, nuclei: 0 };
  for (let row = 0, index = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, index++) {
      kind.arrange(lattice, cosine * column - sine * row, sine * column + cosine * row, place);
      lumen[index] = place.lumen * style.scale;
      stroma[index] = place.stroma * style.scale;
      nuclei[index] = place.nuclei * style.scale;
    }
  }
  subtract(lumen, upperQuantile(lumen, materialShares.lumen));
  const solid = stroma.filter((_, index) => lumen[index]! < 0);
  const stromaWithNuclei = materialShares.stroma + materialShares.nucleus * stromalPart;
  subtract(stroma, upperQuantile(solid, stromaWithNuclei / (1 - materialShares.lumen)));
  return { columns, rows, lumen, stroma, nuclei };
}

/** The value that the highest `share` of the values exceed. */
function upperQuantile(values: Float32Array, share: number): number {
  const sorted = Float32Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * (1 - share)))]!;
}

function subtract(values: Float32Array, amount: number): void {
  for (let index = 0; index < values.length; index++) values[index]! -= amount;
}

import type { Generator } from '../../base/index.js';
import { Lattice } from './noise.js';

/** Sections are never even: the same tissue takes up to this share more or less of a stain from place to place. */
const unevenness = 0.3;

/** Size of the places, um. */
const placeMicrometers = 150;

/** The uptake is worked out at this step, um; between two points it changes too little to see. */
export const uptakeStep = 4;

/** How much of a stain the tissue takes up from place to place: 1 on average, at points `uptakeStep` apart. */
export interface Uptake {
  columns: number;
  values: Float32Array;
}

export function drawUptake(widthMicrometers: number, heightMicrometers: number, random: Generator): Uptake {
  const lattice = new Lattice(random);
  const columns = Math.ceil(widthMicrometers / uptakeStep);
  const rows = Math.ceil(heightMicrometers / uptakeStep);
  const scale = uptakeStep / placeMicrometers;
  const values = Float32Array.from({ length: columns * rows }, (_, index) => {
    const row = Math.floor(index / columns);
    return 1 + unevenness * lattice.noise((index - row * columns) * scale, row * scale);
  });
  return { columns, values };
}

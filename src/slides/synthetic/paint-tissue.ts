import type { Generator } from '../../base/index.js';
import type { TissueKind } from './kinds/index.js';
import { Grain, Lattice } from './noise.js';
import { placeNuclei } from './nuclei.js';
import { clamp, material, type Painting } from './painting.js';
import { materialShares, planStep, planTissue, stromalPart, type TissuePlan, type TissueStyle } from './plan.js';

/**
 * Paints one kind of tissue.
 *
 * The kind decides only where lumen, stroma, epithelium and nuclei lie. How much of each there is, and how it takes
 * up the stains, is the same for all kinds, so that a kind cannot be told by its colors.
 *
 * @param size width and height in pixels, and the size of a pixel, um
 */
export function paintTissue(
  kind: TissueKind,
  size: { width: number; height: number; umPerPixel: number },
  style: TissueStyle,
  grain: Grain,
  random: Generator,
): Painting {
  const { width, height, umPerPixel } = size;
  const points = (pixels: number) => Math.ceil((pixels * umPerPixel) / planStep) + 2;
  const plan = planTissue(kind, points(width), points(height), style, random);
  const painting: Painting = {
    ...size,
    hematoxylin: new Uint8ClampedArray(width * height),
    eosin: new Uint8ClampedArray(width * height),
    material: new Uint8Array(width * height),
    ground: new Uint8Array(width * height),
  };
  paintGround(painting, plan, grain, random);
  painting.ground.set(painting.material);
  const inEpithelium = {
    ground: 'cytoplasm',
    share: materialShares.nucleus * (1 - stromalPart),
    diameter: style.nucleusDiameter,
    elongation: kind.elongation,
    orientation: kind.orientation,
  } as const;
  const inStroma = {
    ground: 'stroma',
    share: materialShares.nucleus * stromalPart,
    diameter: 0.75 * style.nucleusDiameter,
    elongation: 3,
    orientation: 'along',
  } as const;
  placeNuclei(painting, plan, inEpithelium, grain, random);
  placeNuclei(painting, plan, inStroma, grain, random);
  return painting;
}

/** Lumen, stroma with its fibers, and epithelium without nuclei. */
function paintGround(painting: Painting, plan: TissuePlan, grain: Grain, random: Generator): void {
  const { width, height, umPerPixel } = painting;
  const fibers = fiberProfile(random);
  const grainStart = random.integer(Grain.side * Grain.side);
  for (let y = 0, index = 0; y < height; y++) {
    const grainRow = grainStart + (y % Grain.side) * Grain.side;
    const planY = (y * umPerPixel) / planStep;
    const row = Math.floor(planY);
    for (let x = 0; x < width; x++, index++) {
      const planX = (x * umPerPixel) / planStep;
      const column = Math.floor(planX);
      const corner = row * plan.columns + column;
      const lumen = between(plan.lumen, corner, plan.columns, planX - column, planY - row);
      const stroma = between(plan.stroma, corner, plan.columns, planX - column, planY - row);
      const rough = grain.values[(grainRow + x) & Grain.mask]!;
      const other = grain.values[(grainRow + x + grainShift) & Grain.mask]!;
      const lumenShare = clamp((lumen + 0.35 * rough) / 1.2 + 0.5);
      const stromaShare = clamp((stroma + 0.5 * rough) / 1.6 + 0.5);
      const fiber = fibers[Math.floor(stroma * 8 + 6 * other) & fiberMask]!;
      const eosin = stromaShare * (56 + 15 * fiber + 5 * rough) + (1 - stromaShare) * (33 + 6 * rough);
      const hematoxylin = stromaShare * (9 + 3 * other) + (1 - stromaShare) * (21 + 6 * other);
      painting.eosin[index] = (1 - lumenShare) * eosin + lumenShare * 2;
      painting.hematoxylin[index] = (1 - lumenShare) * hematoxylin + lumenShare;
      const solid = stromaShare > 0.5 ? material.stroma : material.cytoplasm;
      painting.material[index] = lumenShare > 0.5 ? material.lumen : solid;
    }
  }
}

const fiberMask = 4095;

/** Half the grain away: as good as another grain. */
const grainShift = (Grain.side * Grain.side) / 2;

/** Strength of fibers by distance, in eighths of a micrometer: lines some 2 um apart that follow the stroma's border. */
function fiberProfile(random: Generator): Float32Array {
  const lattice = new Lattice(random);
  return Float32Array.from({ length: fiberMask + 1 }, (_, index) => 1.4 * lattice.noise(index / 16, 0.5));
}

/** Interpolates between the plan's points. */
function between(plan: Float32Array, corner: number, columns: number, across: number, down: number): number {
  const top = plan[corner]! * (1 - across) + plan[corner + 1]! * across;
  const bottom = plan[corner + columns]! * (1 - across) + plan[corner + columns + 1]! * across;
  return top * (1 - down) + bottom * down;
}

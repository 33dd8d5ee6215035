import type { Generator } from '../../runs/index.js';
import type { TissueKind } from './kinds.js';
import { Grain, Lattice } from './noise.js';

/** Share of the area that every kind gives to each material. */
export const materialShares = { lumen: 0.1, stroma: 0.28, cytoplasm: 0.4, nucleus: 0.22 } as const;

/** Values of `Painting.material`. */
export const material = { lumen: 0, stroma: 1, cytoplasm: 2, nucleus: 3 } as const;

/** Of the nuclei's area, the part that lies in the stroma (fibroblasts). */
const stromalPart = 0.09;

/** How a slide's tissue departs from the mean: the same for every kind on it. */
export interface TissueStyle {
  /** Size of structures over their usual size. */
  scale: number;
  /** Diameter of a round nucleus, um. */
  nucleusDiameter: number;
}

/** Tissue before it is stained, row by row. */
export interface Painting {
  width: number;
  height: number;
  hematoxylin: Uint8ClampedArray;
  eosin: Uint8ClampedArray;
  /** One of `material` at each pixel. */
  material: Uint8Array;
}

/** The kind's arrangement is worked out at this step, um, and interpolated. */
const step = 2;

/**
 * Paints one kind of tissue.
 *
 * The kind decides only where lumen, stroma, epithelium and nuclei lie. How much of each there is, and how it takes
 * up the stains, is the same for all kinds, so that a kind cannot be told by its colours.
 *
 * @param width in pixels
 * @param height in pixels
 * @param umPerPixel size of a pixel
 */
export function paintTissue(
  kind: TissueKind,
  width: number,
  height: number,
  umPerPixel: number,
  style: TissueStyle,
  grain: Grain,
  random: Generator,
): Painting {
  const count = width * height;
  const painting: Painting = {
    width,
    height,
    hematoxylin: new Uint8ClampedArray(count),
    eosin: new Uint8ClampedArray(count),
    material: new Uint8Array(count),
  };
  const plan = arrange(kind, Math.ceil((width * umPerPixel) / step) + 2, Math.ceil((height * umPerPixel) / step) + 2);
  const grainOffset = random.integer(Grain.side * Grain.side);
  fillGround();
  placeNuclei('cytoplasm', materialShares.nucleus * (1 - stromalPart), kind.elongation, kind.orientation, 1);
  placeNuclei('stroma', materialShares.nucleus * stromalPart, 3, 'along', 0.75);
  return painting;

  /** Lumen, stroma and epithelium, without nuclei. */
  function fillGround(): void {
    const fibers = fiberProfile(random);
    for (let y = 0, index = 0; y < height; y++) {
      const grainRow = (y % Grain.side) * Grain.side + grainOffset;
      const planY = (y * umPerPixel) / step;
      const row = Math.floor(planY);
      const down = planY - row;
      for (let x = 0; x < width; x++, index++) {
        const planX = (x * umPerPixel) / step;
        const column = Math.floor(planX);
        const across = planX - column;
        const corner = row * plan.columns + column;
        const lumen = between(plan.lumen, corner, plan.columns, across, down);
        const stroma = between(plan.stroma, corner, plan.columns, across, down);
        const rough = grain.values[(grainRow + x) & grainMask]!;
        const other = grain.values[(grainRow + x + 131_071) & grainMask]!;
        const lumenShare = clamp((lumen + 0.35 * rough) / 1.2 + 0.5);
        const stromaShare = clamp((stroma + 0.5 * rough) / 1.6 + 0.5);
        const fiber = fibers[Math.floor(stroma * 8 + 6 * other + 4096) & fiberMask]!;
        const eosin = stromaShare * (56 + 15 * fiber + 5 * rough) + (1 - stromaShare) * (33 + 6 * rough);
        const hematoxylin = stromaShare * (9 + 3 * other) + (1 - stromaShare) * (21 + 6 * other);
        painting.eosin[index] = eosin * (1 - lumenShare) + 2 * lumenShare;
        painting.hematoxylin[index] = hematoxylin * (1 - lumenShare) + lumenShare;
        painting.material[index] =
          lumenShare > 0.5 ? material.lumen : stromaShare > 0.5 ? material.stroma : material.cytoplasm;
      }
    }
  }

  /** Where the kind puts things; `lumen` and `stroma` become positive inside, in um from the border. */
  function arrange(kind: TissueKind, columns: number, rows: number) {
    const lattice = new Lattice(random);
    const lumen = new Float32Array(columns * rows);
    const stroma = new Float32Array(columns * rows);
    const nuclei = new Float32Array(columns * rows);
    const angle = random.between(0, 2 * Math.PI);
    const cosine = (Math.cos(angle) * step) / style.scale;
    const sine = (Math.sin(angle) * step) / style.scale;
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
    const stromaArea = materialShares.stroma + materialShares.nucleus * stromalPart;
    subtract(stroma, upperQuantile(solid, stromaArea / (1 - materialShares.lumen)));
    return { columns, rows, lumen, stroma, nuclei };
  }

  /** Puts nuclei on one material, most wanted places first, until they cover `share` of the whole area. */
  function placeNuclei(
    ground: 'cytoplasm' | 'stroma',
    share: number,
    elongation: number,
    orientation: TissueKind['orientation'],
    size: number,
  ): void {
    const radius = (style.nucleusDiameter * size) / 2;
    const wanted = share * count;
    const nucleusArea = (Math.PI * radius * radius) / umPerPixel ** 2;
    const candidates = Array.from({ length: Math.ceil((10 * wanted) / nucleusArea) + 20 }, () => {
      const x = random.between(0, width);
      const y = random.between(0, height);
      const row = Math.round((y * umPerPixel) / step);
      const at = row * plan.columns + Math.round((x * umPerPixel) / step);
      const want = ground === 'stroma' ? random.uniform() : plan.nuclei[at]! + 2.5 * random.between(-1, 1);
      return { x, y, at, want };
    });
    candidates.sort((one, other) => other.want - one.want);
    let covered = 0;
    // Nuclei keep apart where there is room; where there is not, they overlap more and more.
    for (const room of [9, 8, 6, 3, 1]) {
      for (const candidate of candidates) {
        if (covered >= wanted) return;
        const long = (radius * Math.sqrt(elongation) * random.between(0.88, 1.12)) / umPerPixel;
        const short = (radius / Math.sqrt(elongation)) * (random.between(0.88, 1.12) / umPerPixel);
        const angle = turn(candidate.at, orientation);
        if (freeSpots(candidate.x, candidate.y, long, short, angle, material[ground]) < room) continue;
        covered += paintNucleus(candidate.x, candidate.y, long, short, angle, material[ground]);
      }
    }
  }

  /** Direction of a nucleus's long axis. */
  function turn(at: number, orientation: TissueKind['orientation']): number {
    if (orientation === 'random') return random.between(0, Math.PI);
    const left = plan.stroma[Math.max(0, at - 1)]!;
    const right = plan.stroma[Math.min(plan.stroma.length - 1, at + 1)]!;
    const above = plan.stroma[Math.max(0, at - plan.columns)]!;
    const below = plan.stroma[Math.min(plan.stroma.length - 1, at + plan.columns)]!;
    const across = Math.atan2(below - above, right - left);
    return across + (orientation === 'along' ? Math.PI / 2 : 0) + 0.25 * random.between(-1, 1);
  }

  /** Of nine spots of an ellipse, how many lie on that ground with no nucleus yet. */
  function freeSpots(x: number, y: number, long: number, short: number, angle: number, ground: number): number {
    const cosine = Math.cos(angle);
    const sine = Math.sin(angle);
    let free = 0;
    for (let spot = 0; spot < 9; spot++) {
      const along = spot === 8 ? 0 : 0.85 * long * eighths[spot]![0];
      const aside = spot === 8 ? 0 : 0.85 * short * eighths[spot]![1];
      const column = Math.round(x + cosine * along - sine * aside);
      const row = Math.round(y + sine * along + cosine * aside);
      const outside = column < 0 || row < 0 || column >= width || row >= height;
      if (outside || painting.material[row * width + column] === ground) free++;
    }
    return free;
  }

  /** Returns how many pixels became nucleus. */
  function paintNucleus(x: number, y: number, long: number, short: number, angle: number, ground: number): number {
    const cosine = Math.cos(angle);
    const sine = Math.sin(angle);
    const depth = random.between(0.86, 1.14);
    const top = Math.max(0, Math.floor(y - long - 1));
    const bottom = Math.min(height - 1, Math.ceil(y + long + 1));
    const leftEdge = Math.max(0, Math.floor(x - long - 1));
    const rightEdge = Math.min(width - 1, Math.ceil(x + long + 1));
    let painted = 0;
    for (let row = top; row <= bottom; row++) {
      for (let column = leftEdge; column <= rightEdge; column++) {
        const along = (cosine * (column - x) + sine * (row - y)) / long;
        const aside = (cosine * (row - y) - sine * (column - x)) / short;
        const index = row * width + column;
        const chromatin = grain.values[(index * 3 + grainOffset) & grainMask]!;
        const rim = along * along + aside * aside + 0.07 * chromatin;
        if (rim > 1.15 || painting.material[index] !== ground) continue;
        const share = clamp((1.15 - rim) / 0.3);
        const hematoxylin = depth * (92 + 16 * chromatin + (rim > 0.6 ? 14 : 0));
        painting.hematoxylin[index] = hematoxylin * share + painting.hematoxylin[index]! * (1 - share);
        painting.eosin[index] = 30 * share + painting.eosin[index]! * (1 - share);
        if (rim <= 1) {
          painting.material[index] = material.nucleus;
          painted++;
        }
      }
    }
    return painted;
  }
}

const grainMask = Grain.side * Grain.side - 1;
const fiberMask = 4095;
const eighths = Array.from({ length: 8 }, (_, spot) => {
  const angle = (spot * Math.PI) / 4;
  return [Math.cos(angle), Math.sin(angle)] as const;
});

/** Strength of fibres by distance, in eighths of a micrometre: lines some 2 um apart that follow the stroma's border. */
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

/** The value that the highest `share` of the values exceed. */
function upperQuantile(values: Float32Array, share: number): number {
  const sorted = Float32Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * (1 - share)))]!;
}

function subtract(values: Float32Array, amount: number): void {
  for (let index = 0; index < values.length; index++) values[index]! -= amount;
}

function clamp(value: number): number {
  return Math.max(0, Math.min(1, value));
}

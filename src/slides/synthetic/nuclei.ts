import type { Generator } from '../../base/index.js';
import type { TissueKind } from './kinds/index.js';
import { Grain } from './noise.js';
import { clamp, material, type Painting } from './painting.js';
import { planStep, type TissuePlan } from './plan.js';

/** Nuclei of one sort, all on one ground. */
export interface NucleiSort {
  ground: 'cytoplasm' | 'stroma';
  /** Share of the whole area that they cover. */
  share: number;
  /** Of a round nucleus of the same area, um. */
  diameter: number;
  elongation: number;
  orientation: TissueKind['orientation'];
}

/** A nucleus's outline, in pixels. */
interface Ellipse {
  x: number;
  y: number;
  long: number;
  short: number;
  cosine: number;
  sine: number;
}

/** Spots of an ellipse, in its own axes: around near the rim, and the middle. */
const spots = [
  ...Array.from({ length: 8 }, (_, spot) => {
    const angle = (spot * Math.PI) / 4;
    return [0.85 * Math.cos(angle), 0.85 * Math.sin(angle)] as const;
  }),
  [0, 0] as const,
];

/** Puts nuclei on one ground, most wanted places first, until they cover their share of the area. */
export function placeNuclei(
  painting: Painting,
  plan: TissuePlan,
  sort: NucleiSort,
  grain: Grain,
  random: Generator,
): void {
  const { width, height, umPerPixel } = painting;
  const radius = sort.diameter / 2 / umPerPixel;
  const wanted = sort.share * width * height;
  const ground = material[sort.ground];
  const candidates = Array.from({ length: Math.ceil((10 * wanted) / (Math.PI * radius ** 2)) + 20 }, () => {
    const x = random.between(0, width);
    const y = random.between(0, height);
    const row = Math.round((y * umPerPixel) / planStep);
    const at = row * plan.columns + Math.round((x * umPerPixel) / planStep);
    const want = sort.ground === 'stroma' ? random.uniform() : plan.nuclei[at]! + 2.5 * random.between(-1, 1);
    return { x, y, at, want };
  });
  candidates.sort((one, other) => other.want - one.want);
  let covered = 0;
  // Nuclei keep apart where there is room; where there is not, they overlap more and more.
  for (const room of [9, 8, 6, 3, 1]) {
    for (const { x, y, at } of candidates) {
      if (covered >= wanted) return;
      const long = radius * Math.sqrt(sort.elongation) * random.between(0.88, 1.12);
      const short = (radius / Math.sqrt(sort.elongation)) * random.between(0.88, 1.12);
      const angle = direction(plan, at, sort.orientation, random);
      const ellipse = { x, y, long, short, cosine: Math.cos(angle), sine: Math.sin(angle) };
      if (freeSpots(painting, ellipse, ground) >= room) {
        covered += paintNucleus(painting, ellipse, ground, grain, random.between(0.86, 1.14));
      }
    }
  }
}

/** Angle of a nucleus's long axis. */
function direction(plan: TissuePlan, at: number, orientation: TissueKind['orientation'], random: Generator): number {
  if (orientation === 'random') return random.between(0, Math.PI);
  const last = plan.stroma.length - 1;
  const right = plan.stroma[Math.min(last, at + 1)]! - plan.stroma[Math.max(0, at - 1)]!;
  const down = plan.stroma[Math.min(last, at + plan.columns)]! - plan.stroma[Math.max(0, at - plan.columns)]!;
  const across = Math.atan2(down, right);
  return across + (orientation === 'along' ? Math.PI / 2 : 0) + 0.25 * random.between(-1, 1);
}

/** Of an ellipse's spots, how many lie on that ground with no nucleus yet. */
function freeSpots({ width, height, material: materials }: Painting, ellipse: Ellipse, ground: number): number {
  let free = 0;
  for (const [alongShare, asideShare] of spots) {
    const along = ellipse.long * alongShare;
    const aside = ellipse.short * asideShare;
    const column = Math.round(ellipse.x + ellipse.cosine * along - ellipse.sine * aside);
    const row = Math.round(ellipse.y + ellipse.sine * along + ellipse.cosine * aside);
    const outside = column < 0 || row < 0 || column >= width || row >= height;
    if (outside || materials[row * width + column] === ground) free++;
  }
  return free;
}

/** Paints a nucleus where its ground is free; returns how many pixels became nucleus. */
function paintNucleus(painting: Painting, ellipse: Ellipse, ground: number, grain: Grain, depth: number): number {
  const { width, height, hematoxylin, eosin } = painting;
  const { x, y, long, short, cosine, sine } = ellipse;
  const bottom = Math.min(height - 1, Math.ceil(y + long + 1));
  const right = Math.min(width - 1, Math.ceil(x + long + 1));
  let painted = 0;
  for (let row = Math.max(0, Math.floor(y - long - 1)); row <= bottom; row++) {
    for (let column = Math.max(0, Math.floor(x - long - 1)); column <= right; column++) {
      const index = row * width + column;
      if (painting.material[index] !== ground) continue;
      const along = (cosine * (column - x) + sine * (row - y)) / long;
      const aside = (cosine * (row - y) - sine * (column - x)) / short;
      const chromatin = grain.values[(index * 3) & Grain.mask]!;
      const fromMiddle = along * along + aside * aside + 0.07 * chromatin;
      const share = clamp((1.15 - fromMiddle) / 0.3);
      if (share === 0) continue;
      const rim = fromMiddle > 0.6 ? 14 : 0;
      hematoxylin[index] = share * depth * (92 + 16 * chromatin + rim) + (1 - share) * hematoxylin[index]!;
      eosin[index] = share * 30 + (1 - share) * eosin[index]!;
      if (fromMiddle > 1) continue;
      painting.material[index] = material.nucleus;
      painted++;
    }
  }
  return painted;
}

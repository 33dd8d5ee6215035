import type { Key } from '../base/index.js';
import { type Resampling, resampling } from './magnification.js';
import type { Slide } from './slide.js';
import { type FocusMap, sharpness } from './tissue/focus.js';
import { shareOf, type TissueMask } from './tissue/mask.js';
import { defaultLimits, type PatchLimits, type PatchScores, type RejectionReason } from './tissue/scores.js';

/** What a patch is. The paper's: 200 um wide, 512 px, which is 0.39 um/px. */
export interface PatchGeometry {
  micrometers: number;
  pixels: number;
}

export const paperGeometry: PatchGeometry = { micrometers: 200, pixels: 512 };

/** Where the patches of one slide lie; nothing has been read yet. */
export interface PatchIndex {
  geometry: PatchGeometry;
  /** Top left corners, level-0 px. */
  x: Int32Array;
  y: Int32Array;
  /** Share of each patch that is tissue: `scores.tissue`. */
  tissue: Float32Array;
  /** What was measured of each patch. */
  scores: PatchScores;
  /** What a place had to score. */
  limits: PatchLimits;
  /** Side of a patch, level-0 px; whole only by chance. */
  side: number;
  /** From one patch to the next, level-0 px. */
  stride: number;
  minimumTissue: number;
  /** Places of the grid that passed the limits; more than there are patches when only some were drawn. */
  passed: number;
  /** Grid places that gave no patch, and the first limit that each failed. */
  rejected: { x: Int32Array; y: Int32Array; reason: RejectionReason[]; scores: PatchScores };
  /** Grid places that passed but were not among the patches drawn. */
  notDrawn: { x: Int32Array; y: Int32Array };
  /** Size of the slide's level-0 pixels, um. */
  mpp: number;
  /** Level that patches of the geometry's size are read from. */
  level: number;
  /** From that level to the geometry's pixel size. */
  resampling: Resampling;
}

export interface PatchGridOptions extends Partial<PatchLimits> {
  geometry?: PatchGeometry;
  /** From one patch to the next, um; by default the patch's side: edge to edge. */
  strideMicrometers?: number;
  /** At most so many patches, drawn at random from those that pass; needs a key. */
  maxPatches?: number;
  /** Decides which are drawn: fold the slide's id into it, so that slides do not depend on each other. */
  key?: Key;
  /** Measured sharpness; without it the scores' sharpness is NaN. */
  focus?: FocusMap;
}

/**
 * Lays a grid of patches over a slide, from its top left corner, and keeps those within the limits, in rows from the
 * top. Only whole patches count.
 */
export function patchGrid(slide: Slide, mask: TissueMask, options: PatchGridOptions = {}): PatchIndex {
  const geometry = options.geometry ?? paperGeometry;
  checkGeometry(geometry);
  const limits = limitsOf(options);
  const strideMicrometers = options.strideMicrometers ?? geometry.micrometers;
  if (!(strideMicrometers >= slide.mpp && Number.isFinite(strideMicrometers))) {
    throw new RangeError(`a stride is at least one pixel of the slide (${slide.mpp} um); got ${strideMicrometers} um`);
  }
  const side = geometry.micrometers / slide.mpp;
  const stride = strideMicrometers / slide.mpp;
  const places: ScoredPlace[] = [];
  for (let row = 0; Math.round(row * stride + side) <= slide.height; row++) {
    for (let column = 0; Math.round(column * stride + side) <= slide.width; column++) {
      const x = Math.round(column * stride);
      const y = Math.round(row * stride);
      places.push(scorePlace(x, y, side, mask, options.focus));
    }
  }
  const reasons = places.map((place) => reasonAgainst(place, limits));
  const passed = places.filter((_, index) => reasons[index] === undefined);
  const rejected = places.filter((_, index) => reasons[index] !== undefined);
  const drawn = drawPatches(passed.length, options);
  const kept = passed.filter((_, index) => drawn.has(index));
  const notDrawn = passed.filter((_, index) => !drawn.has(index));

  const umPerPixel = geometry.micrometers / geometry.pixels;
  const level = slide.levelFor(umPerPixel);
  const scores = scoresOf(kept);
  return {
    geometry,
    ...corners(kept),
    tissue: scores.tissue,
    scores,
    limits,
    side,
    stride,
    minimumTissue: limits.minimumTissue,
    passed: passed.length,
    rejected: {
      ...corners(rejected),
      reason: reasons.filter((reason): reason is RejectionReason => reason !== undefined),
      scores: scoresOf(rejected),
    },
    notDrawn: corners(notDrawn),
    mpp: slide.mpp,
    level,
    resampling: resampling(slide.mppOfLevel(level), umPerPixel),
  };
}

export function checkGeometry(geometry: PatchGeometry): void {
  const { micrometers, pixels } = geometry;
  if (!(micrometers > 0 && Number.isFinite(micrometers))) {
    throw new RangeError(`a patch's side must be above 0 um; got ${micrometers}`);
  }
  if (!(Number.isSafeInteger(pixels) && pixels > 0 && pixels <= 8192)) {
    throw new RangeError(`a patch's side must be 1 to 8192 whole pixels; got ${pixels}`);
  }
}

function limitsOf(options: PatchGridOptions): PatchLimits {
  const limits = Object.fromEntries(
    Object.entries(defaultLimits).map(([name, usual]) => [name, options[name as keyof PatchLimits] ?? usual]),
  ) as unknown as PatchLimits;
  for (const name of ['minimumTissue', 'maximumPen', 'maximumBlack'] as const) {
    if (!(limits[name] >= 0 && limits[name] <= 1)) {
      throw new RangeError(`${name} must be a fraction from 0 to 1; got ${limits[name]}`);
    }
  }
  if (!(limits.minimumSharpness >= 0)) {
    throw new RangeError(`minimumSharpness is a variance, 0 or more; got ${limits.minimumSharpness}`);
  }
  if (limits.minimumSharpness > 0 && !options.focus) {
    throw new RangeError('minimumSharpness needs sharpness to be measured: give focus, made by focusMap(slide, mask)');
  }
  return limits;
}

interface ScoredPlace {
  x: number;
  y: number;
  tissue: number;
  background: number;
  pen: number;
  black: number;
  sharpness: number;
}

function scorePlace(x: number, y: number, side: number, mask: TissueMask, focus: FocusMap | undefined): ScoredPlace {
  const square = { x, y, width: side, height: side };
  const [tissue, pen, black] = [mask.data, mask.pen, mask.black].map((plane) => shareOf(mask, plane, square)) as [
    number,
    number,
    number,
  ];
  return {
    x,
    y,
    tissue,
    // A black pen mark counts as both.
    background: Math.max(0, 1 - tissue - pen - black),
    pen,
    black,
    sharpness: focus ? sharpness(focus, x, y, side) : Number.NaN,
  };
}

function reasonAgainst(place: ScoredPlace, limits: PatchLimits): RejectionReason | undefined {
  if (place.black > limits.maximumBlack) return 'black';
  if (place.pen > limits.maximumPen) return 'pen';
  if (place.tissue < limits.minimumTissue) return 'tissue';
  if (place.sharpness < limits.minimumSharpness) return 'blur';
  return undefined;
}

/** Which of `count` places are drawn. */
function drawPatches(count: number, { maxPatches, key }: PatchGridOptions): Set<number> {
  const all = Int32Array.from({ length: count }, (_, index) => index);
  if (maxPatches === undefined) return new Set(all);
  if (!(Number.isSafeInteger(maxPatches) && maxPatches > 0)) {
    throw new RangeError(`maxPatches must be a positive integer; got ${maxPatches}`);
  }
  if (!key) throw new RangeError('maxPatches draws at random: give a key as well');
  if (count <= maxPatches) return new Set(all);
  return new Set(key.fold('patches').generator().shuffle(all).subarray(0, maxPatches));
}

function corners(places: readonly ScoredPlace[]): { x: Int32Array; y: Int32Array } {
  return { x: Int32Array.from(places, (place) => place.x), y: Int32Array.from(places, (place) => place.y) };
}

function scoresOf(places: readonly ScoredPlace[]): PatchScores {
  const column = (name: keyof PatchScores) => Float32Array.from(places, (place) => place[name]);
  return {
    tissue: column('tissue'),
    background: column('background'),
    pen: column('pen'),
    black: column('black'),
    sharpness: column('sharpness'),
  };
}

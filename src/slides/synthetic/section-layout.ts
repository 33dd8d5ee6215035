import type { Generator, Key } from '../../base/index.js';
import { boundsOf } from '../labels/polygons.js';
import { forRunsInside } from '../labels/rasterize.js';
import type { BlockValues } from './draw-layout.js';
import { type Block, glass, insideRounded, type Layout, marginMicrometers, overhang } from './layout.js';
import { Lattice } from './noise.js';
import { blob, type Polygon, ringOf } from './polygon.js';

/** An area of a section that is of another kind than the rest. */
export interface Lesion {
  /** Name of its tissue kind. */
  kind: string;
  /** Name of its polygons' group in annotation files. */
  group: string;
  /** Share of the tissue that it covers, 0 to 1, before the edge of the tissue cuts it. */
  share: number;
  /** Group of a hole in it, where the section's own kind shows; null for none. */
  holeGroup: string | null;
  mask: BlockValues;
}

/** A section of tissue as it is to be drawn, but for stain and scanner. */
export interface SectionTissue {
  /** The same seed is the same tissue, however it is stained and scanned. */
  seed: string;
  /** Decides the size of structures and nuclei, which is a patient's own. */
  patientSeed: string;
  /** One piece, or needle cores one above the other. */
  outline: 'piece' | 'cores';
  /** Of the piece, or of each core; whole micrometers. */
  widthMicrometers: number;
  heightMicrometers: number;
  /** How many; 1 for a piece. */
  cores: number;
  /** Name of the tissue kind outside the lesions. */
  kind: string;
  mask: BlockValues;
  lesions: readonly Lesion[];
}

/** A lesion's edge, or a hole's, um. */
export interface Annotation {
  group: string;
  points: Polygon;
}

export interface SectionLayout extends Layout {
  annotations: readonly Annotation[];
}

/** Glass between two cores, um. */
const coreGap = 140;

/**
 * Plans a section. Block 0 is the section's own kind, the blocks after it are the lesions in their order.
 *
 * @throws RangeError when the lesions do not fit beside each other
 */
export function planSection(tissue: SectionTissue, key: Key): SectionLayout {
  const tops = Array.from(
    { length: tissue.cores },
    (_, core) => marginMicrometers + core * (tissue.heightMicrometers + coreGap),
  );
  const widthMicrometers = tissue.widthMicrometers + 2 * marginMicrometers;
  const heightMicrometers = tops.at(-1)! + tissue.heightMicrometers + marginMicrometers;
  const plane = new Int16Array(widthMicrometers * heightMicrometers).fill(glass);
  for (const [core, top] of tops.entries()) {
    outline(plane, widthMicrometers, { ...tissue, top }, key.fold('outline').fold(core));
  }
  const random = key.fold('lesions').generator();
  const edges = tissue.outline === 'cores' ? segments(tissue, tops, random) : blobs(tissue, random);
  const blocks: Block[] = [
    {
      kind: 0,
      left: marginMicrometers - overhang,
      top: marginMicrometers - overhang,
      right: widthMicrometers - marginMicrometers + overhang,
      bottom: heightMicrometers - marginMicrometers + overhang,
    },
  ];
  const annotations: Annotation[] = [];
  const cells = { x: 0, y: 0, width: widthMicrometers, height: heightMicrometers, pixelSize: 1 };
  const give = (points: Polygon, block: number) =>
    forRunsInside([ringOf(points)], cells, (first, end) => {
      for (let cell = first; cell < end; cell++) if (plane[cell] !== glass) plane[cell] = block;
    });
  for (const [index, lesion] of tissue.lesions.entries()) {
    const points = edges[index]!;
    blocks.push({ kind: index + 1, ...boundsOf([ringOf(points)]) });
    give(points, index + 1);
    annotations.push({ group: lesion.group, points });
    if (lesion.holeGroup === null) continue;
    const hole = insideOf(points, random);
    give(hole, 0);
    annotations.push({ group: lesion.holeGroup, points: hole });
  }
  return { widthMicrometers, heightMicrometers, blocks, plane, annotations };
}

/** Gives the cells of one piece of tissue to block 0; its edge is uneven. */
function outline(
  plane: Int16Array,
  planeWidth: number,
  piece: { widthMicrometers: number; heightMicrometers: number; top: number },
  key: Key,
): void {
  const { widthMicrometers: width, heightMicrometers: height, top } = piece;
  const lattice = new Lattice(key.generator());
  for (let y = -overhang; y < height + overhang; y++) {
    for (let x = -overhang; x < width + overhang; x++) {
      const inside = insideRounded(x, y, width, height);
      // Noise moves the edge by at most 32 um inwards.
      const uneven = inside > 32 ? 0 : 4 + 20 * lattice.noise(x / 140, y / 140) + 7 * lattice.noise(x / 24, y / 24);
      if (inside + uneven < 0) continue;
      plane[(top + y) * planeWidth + marginMicrometers + x] = 0;
    }
  }
}

/** Arrangements to try before lesions are said not to fit. */
const arrangements = 1000;

/** Lesions of a piece: blobs that keep apart. */
function blobs(tissue: SectionTissue, random: Generator): Polygon[] {
  const { widthMicrometers: width, heightMicrometers: height } = tissue;
  const radii = tissue.lesions.map(({ share }) => Math.sqrt((share * width * height) / Math.PI));
  const place = (radius: number, side: number) =>
    marginMicrometers + random.between(Math.min(radius, side / 2), Math.max(side - radius, side / 2));
  for (let attempt = 0; attempt < arrangements; attempt++) {
    const circles = radii.map((radius) => ({ radius, x: place(radius, width), y: place(radius, height) }));
    const apart = circles.every((one, index) =>
      circles
        .slice(0, index)
        .every(({ x, y, radius }) => Math.hypot(x - one.x, y - one.y) > 1.2 * (radius + one.radius)),
    );
    if (apart) return circles.map((circle) => blob(circle, circle.radius, random));
  }
  throw new RangeError(
    `${radii.length} lesions of ${tissue.lesions.map(({ share }) => `${Math.round(100 * share)} %`).join(', ')} do not ` +
      `fit beside each other in a tissue of ${width} x ${height} um; ask for fewer or smaller ones`,
  );
}

/** A blob around the middle of a blob, of a third its width. */
function insideOf(points: Polygon, random: Generator): Polygon {
  const { left, top, right, bottom } = boundsOf([ringOf(points)]);
  const middle = { x: (left + right) / 2, y: (top + bottom) / 2 };
  return blob(middle, Math.min(right - left, bottom - top) / 6, random);
}

/** Lesions of cores: lengths of a core from edge to edge. */
function segments(tissue: SectionTissue, tops: readonly number[], random: Generator): Polygon[] {
  const { widthMicrometers: width, heightMicrometers: height, cores } = tissue;
  const ends = tops.map(() => 0);
  const lengths = tissue.lesions.map(({ share }) => share * cores * width);
  return tissue.lesions.map((_, index) => {
    const core = index % cores;
    const rest = lengths.slice(index).reduce((sum, length, at) => sum + (at % cores === 0 ? length : 0), 0);
    const slack = width - ends[core]! - rest;
    if (slack < -1e-6) {
      throw new RangeError(`the lesions of a core are longer than its ${width} um; ask for fewer or smaller ones`);
    }
    const from = ends[core]! + random.between(0, Math.max(0, slack) / 2);
    ends[core] = from + lengths[index]!;
    return segment(from, ends[core]!, tops[core]!, height, width, random);
  });
}

/** A length of a core with bent ends; where it reaches the core's own end it goes beyond it. */
function segment(from: number, to: number, top: number, height: number, width: number, random: Generator): Polygon {
  const steps = 8;
  const [above, below] = [top - overhang, top + height + overhang];
  const side = (x: number, end: number) => {
    if (Math.abs(x - end) < 1) return Array.from({ length: steps + 1 }, () => (end === 0 ? -overhang : end + overhang));
    const bend = random.between(-18, 18);
    return Array.from({ length: steps + 1 }, (_, step) => x + bend * Math.sin((Math.PI * step) / steps));
  };
  const point = (x: number, step: number) => [marginMicrometers + x, above + ((below - above) * step) / steps] as const;
  const left = side(from, 0).map(point);
  const right = side(to, width).map(point);
  return [...left, ...right.reverse()];
}

import { gridBlocks } from './blocks.js';
import { channelsOf } from './labels/geojson.js';
import type { LabelSource, Polygon } from './labels/index.js';
import type { PatchIndex } from './patch-grid.js';
import type { Slide } from './slide.js';
import { drawLegend, type LegendEntry, slidePicture } from './slide-picture.js';
import { type Thumbnail, thumbnail } from './thumbnail.js';
import type { TissueMask } from './tissue/mask.js';
import { type RejectionReason, rejectionReasons } from './tissue/scores.js';

const tissueColor = '#e0b000';
const patchColor = '#1f5fbf';
const notDrawnColor = '#7fa8d9';
const doubtColor = '#b91c1c';
const polygonColor = '#c2185b';
const reasons: Record<RejectionReason, { color: string; words: string }> = {
  tissue: { color: '#8a8a8a', words: 'too little tissue' },
  pen: { color: '#0b8f4d', words: 'pen' },
  black: { color: '#000000', words: 'black' },
  blur: { color: '#c2410c', words: 'out of focus' },
};

/** What a slide is annotated with, drawn over its thumbnail. */
export interface OverviewLabels {
  /** Classes of a label source's numbers; a number that is not here is not colored. */
  classes: readonly { label: number; name: string; color: string }[];
  source: LabelSource;
}

export interface OverviewOptions {
  /** Longest side of the thumbnail, px. */
  maxSize?: number;
  /** Annotated areas, drawn as outlines. */
  polygons?: readonly Polygon[];
  /** A mask, drawn as a tint. */
  labels?: OverviewLabels;
}

/**
 * What was cut from a slide, as a PNG: the thumbnail, the tissue's outline, the patches, and the places that gave none,
 * colored by the reason; without an index, where the mask has tissue, pen and black. Places with too little tissue are shown only where there is some. Polygons and masks are drawn
 * where they are given, and a synthetic slide is marked as one. A legend with counts stands below, and under it what the
 * slide says of its magnification where that does not fit together.
 *
 * @param mask whose outline is drawn, where there is one
 */
export async function slideOverview(
  slide: Slide,
  mask: TissueMask | undefined,
  index?: PatchIndex,
  { maxSize = 900, polygons = [], labels }: OverviewOptions = {},
): Promise<Uint8Array> {
  const small = await thumbnail(slide, maxSize);
  const drawn = index ? drawPlaces(index, small) : mask ? drawMarked(mask, small) : { svg: '', entries: [] };
  const tinted = labels ? await tint(small, labels) : [];
  const entries = [
    ...(mask ? [{ color: tissueColor, words: 'tissue' }] : []),
    ...drawn.entries,
    ...(polygons.length > 0 ? [{ color: polygonColor, words: `annotated: ${polygons.length}` }] : []),
    ...tinted.map(({ color, name }) => ({ color, words: name })),
    ...doubtEntries(slide),
  ];
  const drawing =
    (mask ? drawOutline(mask, mask.data, small, tissueColor) : '') +
    drawn.svg +
    polygons.map((polygon) => drawPolygon(polygon, small.downsample)).join('');
  return slidePicture(slide, small, drawing, drawLegend(entries, small.width));
}

interface Drawn {
  svg: string;
  entries: LegendEntry[];
}

function drawPlaces(index: PatchIndex, small: Thumbnail): Drawn {
  const { rejected, notDrawn } = index;
  const svg = [
    drawFrames(notDrawn, index.side, small, `stroke="${notDrawnColor}" fill="none" stroke-dasharray="3 2"`),
    ...rejectionReasons.map((reason) => {
      const shown = (place: number) =>
        rejected.reason[place] === reason && (reason !== 'tissue' || rejected.scores.tissue[place]! > 0);
      const mark = `stroke="${reasons[reason].color}" fill="${reasons[reason].color}" fill-opacity="0.25"`;
      return drawFrames(rejected, index.side, small, mark, shown);
    }),
    drawFrames(index, index.side, small, `stroke="${patchColor}" fill="none"`),
  ].join('');
  return { svg, entries: legendEntries(index) };
}

/** Where a mask has pen and black. */
function drawMarked(mask: TissueMask, small: Thumbnail): Drawn {
  const marked = (['pen', 'black'] as const).filter((plane) => mask[plane].includes(1));
  const svg = marked.map((plane) => drawOutline(mask, mask[plane], small, reasons[plane].color)).join('');
  return { svg, entries: marked.map((plane) => reasons[plane]) };
}

/** Side of the blocks in which a mask is read, px of the thumbnail: a mask may be as large as its slide. */
const labelBlock = 64;

/** Mixes the classes' colors into a thumbnail, and returns the classes that are in it. */
async function tint(small: Thumbnail, { classes, source }: OverviewLabels): Promise<OverviewLabels['classes']> {
  const found = new Set<number>();
  const channels = new Map(classes.map(({ label, color }) => [label, channelsOf(color)]));
  for (const { column, row, across, down } of gridBlocks({ columns: small.width, rows: small.height }, labelBlock)) {
    const place = { x: column * small.downsample, y: row * small.downsample };
    const labels = await source.read({ ...place, width: across, height: down, pixelSize: small.downsample });
    for (let at = 0; at < labels.length; at++) {
      const color = channels.get(labels[at]!);
      if (!color) continue;
      found.add(labels[at]!);
      const pixel = 3 * ((row + Math.floor(at / across)) * small.width + column + (at % across));
      for (let channel = 0; channel < 3; channel++) {
        small.pixels[pixel + channel] = Math.round(0.5 * small.pixels[pixel + channel]! + 0.5 * color[channel]!);
      }
    }
  }
  return classes.filter(({ label }) => found.has(label));
}

function drawPolygon({ rings }: Polygon, downsample: number): string {
  const path = rings.map((ring) => {
    const corners = Array.from({ length: ring.length / 2 }, (_, corner) =>
      [ring[2 * corner]!, ring[2 * corner + 1]!].map((place) => (place / downsample).toFixed(1)).join(' '),
    );
    return `M${corners.join('L')}Z`;
  });
  return `<path d="${path.join('')}" fill="none" stroke="${polygonColor}" stroke-width="2.5"/>`;
}

function drawFrames(
  places: { x: Int32Array; y: Int32Array },
  side: number,
  { downsample }: Thumbnail,
  mark: string,
  shown: (place: number) => boolean = () => true,
): string {
  const inset = 0.75;
  const length = (side / downsample - 2 * inset).toFixed(1);
  const drawn = Array.from(places.x, (x, place) => {
    if (!shown(place)) return '';
    const [left, top] = [x, places.y[place]!].map((at) => (at / downsample + inset).toFixed(1));
    return `<rect x="${left}" y="${top}" width="${length}" height="${length}"/>`;
  }).join('');
  return `<g stroke-width="1.5" ${mark}>${drawn}</g>`;
}

function legendEntries({ x, notDrawn, rejected, passed }: PatchIndex): LegendEntry[] {
  return [
    { color: patchColor, words: `patches: ${x.length}` },
    ...(notDrawn.x.length > 0 ? [{ color: notDrawnColor, words: `not drawn: ${notDrawn.x.length} of ${passed}` }] : []),
    ...rejectionReasons.flatMap((reason) => {
      const count = rejected.reason.filter((other) => other === reason).length;
      return count > 0 ? [{ ...reasons[reason], words: `${reasons[reason].words}: ${count}` }] : [];
    }),
  ];
}

/** What the slide says of its pixels that does not fit together, a clause an entry. */
function doubtEntries({ path, magnification: { disagreement } }: Slide): LegendEntry[] {
  if (disagreement === undefined) return [];
  const clauses = disagreement.replace(`${path}: `, '').split(/, (?=but )|; /);
  return clauses.map((words, place) => ({ color: doubtColor, words: place === 0 ? `in doubt: ${words}` : words }));
}

/** The border of a mask's plane along its pixels' edges. */
function drawOutline(mask: TissueMask, plane: Uint8Array, small: Thumbnail, color: string): string {
  const isIn = (column: number, row: number) =>
    column >= 0 && row >= 0 && column < mask.width && row < mask.height && plane[row * mask.width + column] === 1;
  const edges: string[] = [];
  const place = (value: number) => ((value * mask.downsample) / small.downsample).toFixed(1);
  for (let row = 0; row <= mask.height; row++) {
    for (let column = 0; column <= mask.width; column++) {
      const here = isIn(column, row);
      if (here !== isIn(column, row - 1)) edges.push(`M${place(column)} ${place(row)}H${place(column + 1)}`);
      if (here !== isIn(column - 1, row)) edges.push(`M${place(column)} ${place(row)}V${place(row + 1)}`);
    }
  }
  return `<path d="${edges.join('')}" fill="none" stroke="${color}" stroke-width="2"/>`;
}

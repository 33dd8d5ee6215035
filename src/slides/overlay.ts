import sharp from 'sharp';
import { useOwnFont } from './own-font.js';
import type { PatchIndex } from './patch-grid.js';
import type { Slide } from './slide.js';
import { type Thumbnail, thumbnail } from './thumbnail.js';
import type { TissueMask } from './tissue/mask.js';
import { type RejectionReason, rejectionReasons } from './tissue/scores.js';

const tissueColor = '#e0b000';
const patchColor = '#1f5fbf';
const notDrawnColor = '#7fa8d9';
const doubtColor = '#b91c1c';
const reasons: Record<RejectionReason, { color: string; words: string }> = {
  tissue: { color: '#8a8a8a', words: 'too little tissue' },
  pen: { color: '#0b8f4d', words: 'pen' },
  black: { color: '#000000', words: 'black' },
  blur: { color: '#c2410c', words: 'out of focus' },
};

/**
 * What was cut from a slide, as a PNG: the thumbnail, the tissue's outline, the patches, and the places that gave none,
 * colored by the reason. Places with too little tissue are shown only where there is some. A legend with counts stands
 * below, and under it what the slide says of its magnification where that does not fit together.
 *
 * @param maxSize longest side of the thumbnail, px
 */
export async function slideOverview(
  slide: Slide,
  mask: TissueMask,
  index: PatchIndex,
  maxSize = 900,
): Promise<Uint8Array> {
  useOwnFont();
  const small = await thumbnail(slide, maxSize);
  const { rejected, notDrawn } = index;
  const frames = [
    drawFrames(notDrawn, index.side, small, `stroke="${notDrawnColor}" fill="none" stroke-dasharray="3 2"`),
    ...rejectionReasons.map((reason) => {
      const shown = (place: number) =>
        rejected.reason[place] === reason && (reason !== 'tissue' || rejected.scores.tissue[place]! > 0);
      const mark = `stroke="${reasons[reason].color}" fill="${reasons[reason].color}" fill-opacity="0.25"`;
      return drawFrames(rejected, index.side, small, mark, shown);
    }),
    drawFrames(index, index.side, small, `stroke="${patchColor}" fill="none"`),
  ].join('');
  const entries = [...legendEntries(index), ...doubtEntries(slide)];
  const legend = drawLegend(entries, small.width);
  const outlinePath = outline(mask, mask.downsample / small.downsample);
  const canvas = { width: small.width, height: small.height + legend.height, channels: 3 as const };
  const drawing =
    `<svg xmlns="http://www.w3.org/2000/svg" width="${canvas.width}" height="${canvas.height}">` +
    `<path d="${outlinePath}" fill="none" stroke="${tissueColor}" stroke-width="2"/>${frames}` +
    `<g transform="translate(0 ${small.height})">${legend.svg}</g></svg>`;
  // White, so that there is room for the legend below.
  const pixels = Buffer.alloc(canvas.width * canvas.height * 3, 255);
  pixels.set(small.pixels);
  return sharp(pixels, { raw: canvas })
    .composite([{ input: Buffer.from(drawing) }])
    .png()
    .toBuffer();
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

interface LegendEntry {
  color: string;
  words: string;
}

function legendEntries({ x, notDrawn, rejected, passed }: PatchIndex): LegendEntry[] {
  return [
    { color: tissueColor, words: 'tissue' },
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

/** Entries from left to right, in as many lines as the width asks for. */
function drawLegend(entries: readonly LegendEntry[], width: number): { svg: string; height: number } {
  const lineHeight = 24;
  let [x, line] = [8, 0];
  const drawn = entries.map(({ color, words }) => {
    const needed = 30 + 7.5 * words.length;
    if (x > 8 && x + needed > width) [x, line] = [8, line + 1];
    const y = line * lineHeight + 6;
    const entry =
      `<rect x="${x}" y="${y}" width="12" height="12" fill="${color}" fill-opacity="0.5" stroke="${color}" stroke-width="2"/>` +
      `<text x="${x + 18}" y="${y + 11}" font-family="Source Sans 3" font-size="14" fill="#222">${words}</text>`;
    x += needed;
    return entry;
  });
  return { svg: drawn.join(''), height: (line + 1) * lineHeight };
}

/** The border between tissue and glass as an SVG path of mask pixels' edges, enlarged by `scale`. */
function outline(mask: TissueMask, scale: number): string {
  const isTissue = (column: number, row: number) =>
    column >= 0 && row >= 0 && column < mask.width && row < mask.height && mask.data[row * mask.width + column] === 1;
  const edges: string[] = [];
  const place = (value: number) => (value * scale).toFixed(1);
  for (let row = 0; row <= mask.height; row++) {
    for (let column = 0; column <= mask.width; column++) {
      const here = isTissue(column, row);
      if (here !== isTissue(column, row - 1)) edges.push(`M${place(column)} ${place(row)}H${place(column + 1)}`);
      if (here !== isTissue(column - 1, row)) edges.push(`M${place(column)} ${place(row)}V${place(row + 1)}`);
    }
  }
  return edges.join('');
}

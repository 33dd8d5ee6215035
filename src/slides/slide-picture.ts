import sharp from 'sharp';
import { useBundledFont } from './bundled-font.js';
import type { RgbImage } from './rgb-image.js';
import type { Slide } from './slide.js';

/** Part of a picture as SVG, with the room that it takes up below, px. */
export interface Legend {
  svg: string;
  height: number;
}

/**
 * A slide's thumbnail with a drawing over it and a legend below it, as a PNG; a synthetic slide is marked as one.
 *
 * @param drawing SVG, in pixels of the thumbnail
 */
export async function slidePicture(
  slide: Pick<Slide, 'synthetic'>,
  small: RgbImage,
  drawing: string,
  legend: Legend,
): Promise<Uint8Array> {
  useBundledFont();
  const canvas = { width: small.width, height: small.height + legend.height, channels: 3 as const };
  const svg =
    `<svg xmlns="http://www.w3.org/2000/svg" width="${canvas.width}" height="${canvas.height}">` +
    drawing +
    (slide.synthetic ? drawMark('SYNTHETIC', small.height) : '') +
    `<g transform="translate(0 ${small.height})">${legend.svg}</g></svg>`;
  // White, so that there is room for the legend below.
  const pixels = Buffer.alloc(canvas.width * canvas.height * 3, 255);
  pixels.set(small.pixels);
  return sharp(pixels, { raw: canvas })
    .composite([{ input: Buffer.from(svg) }])
    .png()
    .toBuffer();
}

function drawMark(text: string, bottom: number): string {
  return (
    `<rect x="0" y="${bottom - 38}" width="${16 + 16 * text.length}" height="38" fill="#000" fill-opacity="0.65"/>` +
    `<text x="8" y="${bottom - 10}" font-family="Source Sans 3" font-size="25" fill="#fff">${text}</text>`
  );
}

export interface LegendEntry {
  color: string;
  words: string;
}

/** What a legend's entry takes up, px, about. */
function entryWidth(words: string): number {
  return 50 + 13 * words.length;
}

/** An entry that is wider than the image, as several. */
function cutToWidth({ color, words }: LegendEntry, width: number): LegendEntry[] {
  const lines = [''];
  for (const word of words.split(' ')) {
    const longer = `${lines.at(-1)} ${word}`.trim();
    if (lines.at(-1) === '' || entryWidth(longer) <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines.map((part) => ({ color, words: part }));
}

/** Entries from left to right, in as many lines as the width asks for. */
export function drawLegend(entries: readonly LegendEntry[], width: number): Legend {
  const lineHeight = 40;
  let [x, line] = [8, 0];
  const drawn = entries
    .flatMap((entry) => cutToWidth(entry, width))
    .map(({ color, words }) => {
      const needed = entryWidth(words);
      if (x > 8 && x + needed > width) [x, line] = [8, line + 1];
      const y = line * lineHeight + 10;
      const entry =
        `<rect x="${x}" y="${y}" width="22" height="22" fill="${color}" fill-opacity="0.5" stroke="${color}" stroke-width="2"/>` +
        `<text x="${x + 30}" y="${y + 19}" font-family="Source Sans 3" font-size="25" fill="#222">${escaped(words)}</text>`;
      x += needed;
      return entry;
    });
  return { svg: drawn.join(''), height: (line + 1) * lineHeight };
}

/** Text as it stands in XML. */
function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}

/**
 * The scale of values from 0 to 1, in one line.
 *
 * @param colors from the value 0 on, at even distances
 */
export function drawScale(colors: readonly string[], words: string): Legend {
  const stops = colors.map((color, place) => `<stop offset="${place / (colors.length - 1)}" stop-color="${color}"/>`);
  const text = (x: number, words: string) =>
    `<text x="${x}" y="29" font-family="Source Sans 3" font-size="25" fill="#222">${escaped(words)}</text>`;
  const svg =
    `<defs><linearGradient id="scale">${stops.join('')}</linearGradient></defs>${text(8, '0')}` +
    `<rect x="30" y="10" width="160" height="22" fill="url(#scale)"/>${text(198, '1')}${text(228, words)}`;
  return { svg, height: 40 };
}

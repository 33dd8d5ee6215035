import sharp from 'sharp';
import { writeFileAtomic } from '../base/index.js';
import type { RgbImage } from '../slides/index.js';
import { showBundle } from './display.js';
import { drawSvg, type Figure, figureBundle, fontFamily, pixelRatio } from './figure.js';
import { escapeMarkup } from './html.js';
import { faintInk, ink } from './style.js';

/** One image of a grid. */
export interface GridImage extends RgbImage {
  /** Below the image. */
  caption?: string;
  /** Drawn over the image's corner; synthetic tissue is marked `synthetic`. */
  mark?: string;
  /** Drawn along the image's edges. */
  frame?: { color: string; dashed: boolean };
}

export interface ImageGridOptions {
  columns: number;
  /** Alternative text. */
  alt: string;
  title?: string;
  /** At the left of each row. */
  rowTitles?: readonly string[];
  /** Colors and what they mean, below the images. */
  legend?: readonly { color: string; words: string }[];
  /** Side of a cell, CSS px; images are scaled to fit it. */
  cell?: number;
  /** Also writes the image to this PNG file. */
  save?: string;
}

/**
 * Splits a batch into images for a grid.
 *
 * @param images `[count, height, width, 3]` RGB, 0 to 255
 */
export function toGridImages(
  images: Uint8Array,
  size: { height: number; width: number },
  about: (index: number) => Pick<GridImage, 'caption' | 'mark'> = () => ({}),
): GridImage[] {
  const bytes = size.height * size.width * 3;
  if (images.length % bytes !== 0) {
    throw new RangeError(`${images.length} bytes are not a whole number of ${size.height} x ${size.width} RGB images`);
  }
  return Array.from({ length: images.length / bytes }, (_, index) => ({
    pixels: images.subarray(index * bytes, (index + 1) * bytes),
    ...size,
    ...about(index),
  }));
}

/** Shows images in rows of `columns`. */
export async function showImageGrid(images: readonly GridImage[], options: ImageGridOptions): Promise<void> {
  const figure = await drawImageGrid(images, options);
  if (options.save) await writeFileAtomic(options.save, figure.png);
  showBundle(...figureBundle(figure, options.alt));
}

/** Average width of a letter, em. */
const letterWidth = 0.52;

/** Font size of captions, px. */
const captionSize = 12;

/** A caption wrapped to its cell's width: after spaces, dashes and underscores, but not before a percent sign. */
function captionLines(caption: string | undefined, cell: number): string[] {
  const letters = Math.floor(cell / (letterWidth * captionSize));
  const lines: string[] = [];
  for (const part of caption?.split(/(?<=[\s_-])(?!%)/) ?? []) {
    const joined = (lines.at(-1) ?? '') + part;
    if (lines.length > 0 && joined.trimEnd().length <= letters) lines[lines.length - 1] = joined;
    else lines.push(part);
  }
  return lines;
}

/** A word wider than its cell gets a smaller font. */
const sizeOf = (line: string, cell: number) => Math.min(captionSize, cell / (letterWidth * line.length));

const gap = 6;
const lineHeight = 15;
const margin = 12;

/** Draws images in rows of `columns`. */
export async function drawImageGrid(images: readonly GridImage[], options: ImageGridOptions): Promise<Figure> {
  const { columns, cell = 112, rowTitles = [], legend = [], title } = options;
  if (images.length === 0) throw new RangeError('an image grid needs at least one image');
  if (!Number.isInteger(columns) || columns < 1) throw new RangeError(`columns must be 1 or more; got ${columns}`);
  const rows = Math.ceil(images.length / columns);
  const left =
    margin + (rowTitles.length > 0 ? 8 + letterWidth * 13 * Math.max(...rowTitles.map((text) => text.length)) : 0);
  const top = margin + (title ? 28 : 0);
  const rowTops = [top];
  for (let row = 0; row < rows; row++) {
    const captions = images.slice(row * columns, (row + 1) * columns).map(({ caption }) => captionLines(caption, cell));
    rowTops.push(rowTops[row]! + cell + gap + lineHeight * Math.max(...captions.map(({ length }) => length)));
  }
  const width = Math.ceil(left + columns * (cell + gap) - gap + margin);
  const key = drawLegend(legend, { left: margin, top: rowTops[rows]!, width: width - 2 * margin });
  const height = rowTops[rows]! - gap + margin + key.height;

  const drawn = await Promise.all(
    images.map(async (image, index) => {
      const x = left + (index % columns) * (cell + gap);
      const y = rowTops[Math.floor(index / columns)]!;
      const { href, ...shown } = await scaledTo(image, cell);
      return (
        `<image x="${x}" y="${y}" width="${shown.width}" height="${shown.height}" href="${href}"/>` +
        (image.frame ? frameOver(image.frame, { x, y, ...shown }) : '') +
        (image.mark ? markOver(image.mark, x, y + shown.height) : '') +
        captionLines(image.caption, cell)
          .map(
            (line, at) =>
              `<text x="${x}" y="${y + cell + 13 + lineHeight * at}" font-size="${sizeOf(line, cell)}" fill="${faintInk}">${escapeMarkup(line)}</text>`,
          )
          .join('')
      );
    }),
  );
  const titles = rowTitles.map((text, row) => {
    const y = rowTops[row]! + cell / 2 + 4;
    return `<text x="${margin}" y="${y}" font-size="13" font-weight="600" fill="${ink}">${escapeMarkup(text)}</text>`;
  });
  if (title) {
    titles.push(
      `<text x="${margin}" y="${margin + 14}" font-size="16" font-weight="600" fill="${ink}">${escapeMarkup(title)}</text>`,
    );
  }
  return drawSvg(
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="${fontFamily}">` +
      `${drawn.join('')}${titles.join('')}${key.svg}</svg>`,
  );
}

/** Entries from left to right, in as many lines as they take. */
function drawLegend(
  legend: readonly { color: string; words: string }[],
  { left, top, width }: { left: number; top: number; width: number },
) {
  let [x, line] = [0, 0];
  const svg = legend.map(({ color, words }) => {
    const needed = 32 + letterWidth * captionSize * words.length;
    if (x > 0 && x + needed > width) [x, line] = [0, line + 1];
    const [at, base] = [left + x, top + 14 + 18 * line];
    x += needed;
    return (
      `<rect x="${at}" y="${base - 10}" width="12" height="12" fill="${color}" stroke="${faintInk}" stroke-width="0.5"/>` +
      `<text x="${at + 17}" y="${base}" font-size="${captionSize}" fill="${ink}">${escapeMarkup(words)}</text>`
    );
  });
  return { svg: svg.join(''), height: legend.length > 0 ? 18 * (line + 1) + 6 : 0 };
}

/** An image scaled to the cell, with its aspect ratio, as a data URL. */
async function scaledTo({ pixels, width, height }: GridImage, cell: number) {
  if (pixels.length !== width * height * 3) {
    throw new RangeError(`an image of ${width} x ${height} px needs ${width * height * 3} bytes; got ${pixels.length}`);
  }
  const scale = cell / Math.max(width, height);
  const shown = { width: Math.round(width * scale), height: Math.round(height * scale) };
  const png = await sharp(pixels, { raw: { width, height, channels: 3 } })
    .resize({ width: shown.width * pixelRatio, height: shown.height * pixelRatio, fit: 'fill' })
    .png()
    .toBuffer();
  return { ...shown, href: `data:image/png;base64,${png.toString('base64')}` };
}

/** On white, so that it is seen on tissue of any color. */
function frameOver(
  { color, dashed }: NonNullable<GridImage['frame']>,
  { x, y, width, height }: { x: number; y: number; width: number; height: number },
): string {
  const rect = (more: string) =>
    `<rect x="${x + 2}" y="${y + 2}" width="${width - 4}" height="${height - 4}" fill="none" stroke-width="4" ${more}/>`;
  const line = rect(`stroke="${color}"${dashed ? ' stroke-dasharray="9 6"' : ''}`);
  return dashed ? rect('stroke="#fff"') + line : line;
}

function markOver(text: string, x: number, bottom: number): string {
  const width = 8 + 5.2 * text.length;
  return (
    `<rect x="${x}" y="${bottom - 15}" width="${width}" height="15" fill="#000" fill-opacity="0.65"/>` +
    `<text x="${x + 4}" y="${bottom - 4}" font-size="10.5" fill="#fff">${escapeMarkup(text)}</text>`
  );
}

import sharp from 'sharp';
import type { PatchIndex } from './patch-grid.js';
import type { Slide } from './slide.js';
import { thumbnail } from './thumbnail.js';
import type { TissueMask } from './tissue/mask.js';

/**
 * What was cut from a slide, as a PNG: the thumbnail, the tissue's outline (yellow) and the patches (blue; places
 * with too little tissue are left without a frame).
 *
 * @param maxSize longest side of the picture, px
 */
export async function slideOverview(
  slide: Slide,
  mask: TissueMask,
  index: PatchIndex,
  maxSize = 900,
): Promise<Uint8Array> {
  const small = await thumbnail(slide, maxSize);
  const frame = (x: number, y: number) =>
    `<rect x="${(x / small.downsample).toFixed(1)}" y="${(y / small.downsample).toFixed(1)}" ` +
    `width="${(index.side / small.downsample).toFixed(1)}" height="${(index.side / small.downsample).toFixed(1)}"/>`;
  const frames = Array.from(index.x, (x, patch) => frame(x, index.y[patch]!)).join('');
  const drawing =
    `<svg xmlns="http://www.w3.org/2000/svg" width="${small.width}" height="${small.height}">` +
    `<path d="${outline(mask, mask.downsample / small.downsample)}" fill="none" stroke="#e0b000" stroke-width="2"/>` +
    `<g fill="none" stroke="#1f5fbf" stroke-width="1.5">${frames}</g></svg>`;
  return sharp(small.pixels, { raw: { width: small.width, height: small.height, channels: 3 } })
    .composite([{ input: Buffer.from(drawing) }])
    .png()
    .toBuffer();
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

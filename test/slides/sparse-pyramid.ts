import { open } from 'node:fs/promises';
import sharp from 'sharp';
import { tiffOf, tiledImage } from './tiff-file.js';

/**
 * Writes a pyramid of any size in which all tiles are one and the same JPEG: levels a quarter of each other, down to
 * 2,000 px. The file stays small, whatever it claims.
 */
export async function writeSparsePyramid(path: string, width: number, height: number): Promise<void> {
  const noise = await sharp({
    create: {
      width: 256,
      height: 256,
      channels: 3,
      noise: { type: 'gaussian', mean: 160, sigma: 20 },
      background: '#c080b0',
    },
  })
    .jpeg({ quality: 80, chromaSubsampling: '4:4:4' })
    .toBuffer();
  const levels: [number, number][] = [];
  for (let scale = 1; levels.length === 0 || width / scale >= 2000; scale *= 4) {
    levels.push([Math.ceil(width / scale), Math.ceil(height / scale)]);
  }
  const tiff = (at: number) =>
    tiffOf(
      levels.map(([across, down], level) => {
        const tiles = Math.ceil(across / 256) * Math.ceil(down / 256);
        return tiledImage(across, down, [
          // Reduced-resolution image.
          { tag: 254, type: 4, values: [level > 0 ? 1 : 0] },
          { tag: 324, type: 4, values: Array<number>(tiles).fill(at) },
          { tag: 325, type: 4, values: Array<number>(tiles).fill(noise.length) },
        ]);
      }),
    );
  const header = tiff(tiff(0).length);
  const file = await open(path, 'w');
  await file.writeFile(Buffer.concat([header, noise]));
  await file.close();
}

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { sampleSlide } from '../../dist/datasets/index.js';
import { openSlide } from '../../dist/slides/index.js';

const tile = 256;
const quality = 80;

/**
 * Makes a benchmark's slide once: the sample slide's pixels, repeated, as a JPEG pyramid that a scanner could have written.
 *
 * @param {number} across px; by default six times the sample's
 * @param {number} down px; by default five times the sample's
 * @returns {Promise<{path: string, mpp: number}>}
 */
export async function benchmarkSlide(across = 13_320, down = 14_835) {
  const folder = new URL('../../.pathlab/bench/', import.meta.url).pathname;
  mkdirSync(folder, { recursive: true });
  const sample = await openSlide(sampleSlide().path);
  const { width, height, mpp } = sample;
  const name = createHash('sha256')
    .update(JSON.stringify([across, down, tile, quality, width, height, mpp]))
    .digest('hex');
  const path = join(folder, `tiles-${name.slice(0, 12)}.tif`);
  if (!existsSync(path)) {
    const { pixels } = await sample.readRegion({ x: 0, y: 0, level: 0, width, height });
    const rows = Buffer.alloc(across * down * 3);
    for (let y = 0; y < down; y++) {
      const from = pixels.subarray(3 * (y % height) * width, 3 * ((y % height) + 1) * width);
      for (let x = 0; x < across; x += width) {
        rows.set(from.subarray(0, 3 * Math.min(width, across - x)), 3 * (y * across + x));
      }
    }
    await sharp(rows, { raw: { width: across, height: down, channels: 3 }, limitInputPixels: false })
      .tiff({
        ...{ tile: true, tileWidth: tile, tileHeight: tile, pyramid: true, compression: 'jpeg', quality },
        ...{ xres: 1000 / mpp, yres: 1000 / mpp },
      })
      .toFile(`${path}.partial`);
    renameSync(`${path}.partial`, path);
  }
  await sample.close();
  return { path, mpp };
}

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { sampleSlide } from '../../dist/datasets/index.js';
import { openSlide } from '../../dist/slides/index.js';

/** The sample slide's pixels, repeated: 13,320 x 14,835 px. */
const across = 6;
const down = 5;
const tile = 256;
const quality = 80;

/**
 * Makes the benchmark's slide, a JPEG pyramid as scanners write it, once.
 *
 * @returns {Promise<{path: string, mpp: number}>}
 */
export async function benchmarkSlide() {
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
    const rows = Buffer.alloc(width * across * height * down * 3);
    const row = Buffer.alloc(width * across * 3);
    for (let y = 0; y < height; y++) {
      for (let column = 0; column < across; column++)
        row.set(pixels.subarray(3 * y * width, 3 * (y + 1) * width), 3 * column * width);
      for (let copy = 0; copy < down; copy++) row.copy(rows, (copy * height + y) * row.length);
    }
    await sharp(rows, { raw: { width: width * across, height: height * down, channels: 3 }, limitInputPixels: false })
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

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { key } from '../../src/runs/index.js';
import { encodePatches, patchGrid, tissueMask } from '../../src/slides/index.js';
import { ReaderPool } from '../../src/slides/reader/pool.js';
import { openSlideIn } from '../../src/slides/slide.js';
import { writeSparsePyramid } from './sparse-pyramid.js';

/** Most memory that a process has held at once, MiB. */
function peakMemory(pid: number): number {
  const kibibytes = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1];
  return Number(kibibytes) / 1024;
}

it.skipIf(process.platform !== 'linux')(
  'a slide of 100,000 x 80,000 px is surveyed and cut in under 1 GiB',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'pathlab-large-'));
    const pool = new ReaderPool(2);
    try {
      await writeSparsePyramid(join(folder, 'large.tif'), 100_000, 80_000);
      const before = process.memoryUsage.rss();
      const slide = await openSlideIn(pool, join(folder, 'large.tif'), { mpp: 0.25 });
      expect([slide.width, slide.height, slide.levels.length]).toEqual([100_000, 80_000, 3]);
      const mask = await tissueMask(slide, { umPerPixel: 16 });
      expect([mask.width, mask.height]).toEqual([1563, 1250]);
      const index = patchGrid(slide, mask, { minimumTissue: 0, mostPatches: 40, key: key(1) });
      let patches = 0;
      for await (const { data } of encodePatches(slide, index, { quality: 90 })) patches += data.length > 500 ? 1 : 0;
      expect(patches).toBe(40);
      const readers = pool.pids.reduce((sum, pid) => sum + peakMemory(pid), 0);
      const own = (process.memoryUsage.rss() - before) / 2 ** 20;
      expect(pool.pids.length).toBe(2);
      expect(readers + own).toBeLessThan(1024);
      await slide.close();
    } finally {
      pool.end();
      rmSync(folder, { recursive: true });
    }
  },
);

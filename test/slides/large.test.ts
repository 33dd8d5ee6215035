import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { key } from '../../src/base/index.js';
import { encodePatches, patchGrid, tissueMask } from '../../src/slides/index.js';
import { defaultReaderMemory, ReaderPool, readersWithin } from '../../src/slides/reader/pool.js';
import { openSlideIn } from '../../src/slides/slide.js';
import { writeSparsePyramid } from './sparse-pyramid.js';

/** Memory of a process, pages that it shares with others counted in part (PSS), MiB. */
function memory(pid: number): number {
  return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))![1]) / 1024;
}

it.skipIf(process.platform !== 'linux').each([2, 64])(
  'a slide of 100,000 x 80,000 px is surveyed and cut in under 1 GiB, as on %i cores',
  async (cores) => {
    const folder = mkdtempSync(join(tmpdir(), 'pathlab-large-'));
    const { processes, cacheBytes } = readersWithin(defaultReaderMemory, cores);
    const pool = new ReaderPool(processes, { cacheBytes });
    try {
      await writeSparsePyramid(join(folder, 'large.tif'), 100_000, 80_000);
      const before = process.memoryUsage.rss();
      const slide = await openSlideIn(pool, join(folder, 'large.tif'), { mpp: 0.25 });
      expect([slide.width, slide.height, slide.levels.length]).toEqual([100_000, 80_000, 3]);
      const mask = await tissueMask(slide, { umPerPixel: 16 });
      expect([mask.width, mask.height]).toEqual([1563, 1250]);
      const index = patchGrid(slide, mask, { minimumTissue: 0, maxPatches: 100, key: key(1) });
      let patches = 0;
      for await (const { data } of encodePatches(slide, index, { quality: 90 })) patches += data.length > 500 ? 1 : 0;
      expect(patches).toBe(100);
      expect(pool.pids.length).toBe(Math.min(cores, 7));
      const readers = pool.pids.reduce((sum, pid) => sum + memory(pid), 0);
      expect(readers).toBeLessThan(defaultReaderMemory / 2 ** 20);
      // What this process is without the slide is the test's own.
      expect(readers + (process.memoryUsage.rss() - before) / 2 ** 20).toBeLessThan(900);
      await slide.close();
    } finally {
      pool.end();
      rmSync(folder, { recursive: true });
    }
  },
);

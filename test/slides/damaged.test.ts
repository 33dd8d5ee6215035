import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { key, projectRoot } from '../../src/base/index.js';
import { encodePatches, openSlide, patchGrid, tissueMask } from '../../src/slides/index.js';
import { ReaderPool } from '../../src/slides/reader/pool.js';
import { openSlideIn } from '../../src/slides/slide.js';
import { parseTiff, type Tiff } from '../../src/slides/tiff/parse.js';
import { samplePath } from './sample.js';
import { writeSmallSlide } from './small-slide.js';
import { tiffOf, tiledImage } from './tiff-file.js';

let folder: string;
let whole: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pathlab-damaged-'));
  whole = join(folder, 'whole.tif');
  await writeSmallSlide(whole, 'damaged', { columns: 2, rows: 1 });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const write = (name: string, content: Uint8Array | string) => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};
const region = { x: 0, y: 0, level: 0, width: 300, height: 300 };

describe('what a file claims is checked before native code sees it', () => {
  const one = tiledImage(256, 256);
  it.each<[string, Buffer, RegExp]>([
    ['levels without end', tiffOf(Array(600).fill(one), { tail: 9 }), /claims more than 512 images/],
    ['directories in a circle', tiffOf([one, one], { endsAt: 8, tail: 9 }), /has a cycle of directories \(at byte 8\)/],
    ['2^40 pixels', tiffOf([tiledImage(2 ** 20, 2 ** 20)]), /claims to be 1048576 x 1048576 px; a slide has/],
    ['a side of 2^32 pixels', tiffOf([tiledImage(2 ** 32 - 1, 9)]), /claims to be 4294967295 x 9 px/],
    ['no pixels', tiffOf([tiledImage(0, 9)]), /claims to be 0 x 9 px/],
    [
      'fewer tiles than its size asks for',
      tiffOf([tiledImage(9000, 9000)]),
      /so has 1296 tiles, but it lists 1 offsets/,
    ],
    [
      'a billion tiles',
      tiffOf([tiledImage(256, 256, [{ tag: 324, type: 4, values: [8, 8], count: 2 ** 30 }])]),
      /claims 1073741824 values of tileOffsets in directory 0/,
    ],
    [
      'a list beyond the end of the file',
      tiffOf([tiledImage(256, 256, [{ tag: 324, type: 4, values: [8, 8], count: 5000 }])]),
      /is cut short: tileOffsets of directory 0 would end at byte \d+, and the file has \d+/,
    ],
    [
      'a huge tile',
      tiffOf([tiledImage(256, 256, [{ tag: 322, type: 4, values: [2 ** 20] }])]),
      /claims tiles of 1048576 x 256 px; at most 8192 px/,
    ],
    [
      'a tile of gigabytes',
      tiffOf([tiledImage(256, 256, [{ tag: 325, type: 4, values: [2 ** 31] }])]),
      /tile 0 of the image of directory 0 claims 2147483648 bytes/,
    ],
    [
      'a tile beyond the end of the file',
      tiffOf([tiledImage(256, 256, [{ tag: 325, type: 4, values: [5000] }])]),
      /is cut short: tile 0 of the image of directory 0 ends at byte 5008/,
    ],
    ['a directory beyond the end', tiffOf([one], { endsAt: 10 ** 6 }), /is cut short: directory 1 would end at/],
    ['a header only', tiffOf([one]).subarray(0, 6), /is cut short within its header/],
    ['no image', Buffer.from([0x49, 0x49, 42, 0, 0, 0, 0, 0]), /is a TIFF without an image/],
  ])('%s', async (name, content, expected) => {
    const path = write(`${name.replace(/\W/g, '-')}.svs`, content);
    await expect(openSlide(path)).rejects.toThrow(expected);
    await expect(openSlide(path)).rejects.toThrow(path);
  });

  it('a tile too short to be a JPEG', async () => {
    for (const bytes of [1, 2]) {
      const image = tiledImage(256, 256, [{ tag: 325, type: 4, values: [bytes] }]);
      const slide = await openSlide(write(`short-${bytes}.tif`, tiffOf([image])), { mpp: 0.5 });
      await expect(slide.readRegion({ ...region, width: 9, height: 9 })).rejects.toThrow(
        /short-\d\.tif: level 0: tile 0 cannot be decoded/,
      );
      await slide.close();
    }
  });

  it('a header is read alike in either order of bytes', async () => {
    const jpegTables = { tag: 347, type: 3 as const, values: [1, 2, 3] };
    const [little, big] = await Promise.all(
      [false, true].map(async (bigEndian) => {
        const images = [[...tiledImage(300, 200), jpegTables], tiledImage(70_000, 100)];
        const file = await open(write(`order-${bigEndian}.tif`, tiffOf(images, { bigEndian })));
        const parsed = await parseTiff(file);
        await file.close();
        return parsed!;
      }),
    );
    expect(big!.directories.map(({ width, bitsPerSample }) => [width, bitsPerSample])).toEqual([
      [300, [8, 8, 8]],
      [70_000, [8, 8, 8]],
    ]);
    const tables = [little, big].map((tiff) => tiff!.directories[0]!.jpegTables!.toString('hex'));
    expect(tables).toEqual(['010002000300', '000100020003']);
    const withoutTables = (tiff: Tiff) =>
      tiff.directories.map((directory) => ({ ...directory, jpegTables: undefined }));
    expect(withoutTables(big!)).toEqual(withoutTables(little!));
  });

  it('a classic TIFF and a BigTIFF are read as they should be', async () => {
    for (const bigtiff of [false, true]) {
      const path = join(folder, `big-${bigtiff}.tif`);
      await sharp(whole).tiff({ tile: true, pyramid: true, compression: 'jpeg', bigtiff }).toFile(path);
      const slide = await openSlide(path, { mpp: 0.5 });
      expect(slide.levels[0]).toEqual({ width: 1600, height: 1200, downsample: 1, reader: 'jpeg' });
      expect((await slide.readRegion(region)).pixels.length).toBe(300 * 300 * 3);
      await slide.close();
    }
  });
});

describe('files that are not slides', () => {
  it('say what they are', async () => {
    await expect(openSlide(join(folder, 'none.svs'))).rejects.toThrow(/the slide .*none\.svs does not exist/);
    await expect(openSlide(folder)).rejects.toThrow(/is not a file/);
    await expect(openSlide(write('empty.svs', ''))).rejects.toThrow(/empty\.svs is empty \(0 bytes\)/);
    await expect(openSlide(write('text.svs', 'a list'))).rejects.toThrow(
      /text\.svs is in no slide format that OpenSlide knows; it begins with "a list"/,
    );
    const striped = await sharp({ create: { width: 64, height: 64, channels: 3, background: 'white' } })
      .tiff()
      .toBuffer();
    await expect(openSlide(write('striped.tif', striped))).rejects.toThrow(
      /is a TIFF that is not tiled\. "vips tiffsave/,
    );
    const tiff = readFileSync(whole);
    await expect(openSlide(write('cut.tif', tiff.subarray(0, tiff.length / 2)))).rejects.toThrow(
      /cut\.tif is cut short/,
    );
  });

  it('a symbolic link is refused unless links may be followed', async () => {
    const link = join(folder, 'link.tif');
    symlinkSync(whole, link);
    await expect(openSlide(link)).rejects.toThrow(/link\.tif is a symbolic link to .*whole\.tif.*followLinks: true/);
    const slide = await openSlide(link, { followLinks: true });
    expect(slide.width).toBe(1600);
    await slide.close();
    symlinkSync(join(folder, 'nowhere'), join(folder, 'dangling.tif'));
    await expect(openSlide(join(folder, 'dangling.tif'))).rejects.toThrow(/is a symbolic link to nothing/);
  });
});

it('a format that was not tested is said once, when its first slide is opened', async () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
  try {
    const text = (tag: number, words: string) => ({ tag, type: 2 as const, values: [...Buffer.from(`${words}\0`)] });
    // Trestle's scanners are known by their software's name.
    const trestle = [...tiledImage(256, 256), text(270, 'Background Color = F0F0F0;'), text(305, 'MedScan')];
    trestle.sort((one, other) => one.tag - other.tag);
    for (const name of ['one.tif', 'two.tif']) {
      const slide = await openSlide(write(name, tiffOf([trestle])), { mpp: 0.5 });
      expect([slide.vendor, slide.untestedFormat]).toEqual(['trestle', true]);
      await slide.close();
    }
    const slide = await openSlide(whole);
    expect(slide.untestedFormat).toBe(false);
    await slide.close();
    expect(warn.mock.calls.map(([words]) => words)).toEqual([
      expect.stringMatching(/one\.tif is in the format "trestle": OpenSlide reads it, but no slide of this format/),
    ]);
  } finally {
    warn.mockRestore();
  }
});

describe('a reader process', () => {
  it('that crashes costs the read in progress; the next in line is read by another', async () => {
    const pool = new ReaderPool(1);
    const slide = await openSlideIn(pool, whole);
    const [pid] = pool.pids;
    // Stopped first, or it could be done before it is killed.
    process.kill(pid!, 'SIGSTOP');
    const reads = [0, 1, 2].map(() => slide.readRegion({ ...region, width: 1600, height: 1200 }));
    const ended = Promise.allSettled(reads);
    process.kill(pid!, 'SIGKILL');
    const [first, ...others] = await ended;
    expect(String((first as PromiseRejectedResult).reason)).toMatch(
      /whole\.tif: the process that was reading it ended \(SIGKILL\)/,
    );
    expect(others.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled']);
    expect(pool.pids).not.toContain(pid);
    await slide.close();
    pool.end();
  });

  it('that ends while earlier patches are still being used fails the reading, and not the whole program', async () => {
    const unhandled: unknown[] = [];
    const listen = (reason: unknown) => unhandled.push(reason);
    process.on('unhandledRejection', listen);
    const pool = new ReaderPool(1);
    const slide = await openSlideIn(pool, whole);
    const index = patchGrid(slide, await tissueMask(slide), {
      geometry: { micrometers: 20, pixels: 64 },
      minimumTissue: 0,
    });
    const patches = encodePatches(slide, index, { quality: 90, concurrency: 3 });
    expect((await patches.next()).value).toMatchObject({ patch: 0 });
    const [pid] = pool.pids;
    // Stopped first, or it could be done before it is killed. Several reads are in flight, and one of them is waited for.
    process.kill(pid!, 'SIGSTOP');
    const rest = async () => {
      for await (const _ of patches) await sleep(1);
    };
    const failing = expect(rest()).rejects.toThrow(/the process that was reading it ended \(SIGKILL\)/);
    await sleep(300);
    process.kill(pid!, 'SIGKILL');
    await failing;
    await sleep(50);
    process.off('unhandledRejection', listen);
    expect(unhandled).toEqual([]);
    await slide.close();
    pool.end();
  });

  it('that hangs is stopped at the time limit', async () => {
    const pool = new ReaderPool(1);
    const slide = await openSlideIn(pool, whole, { timeLimit: 2 });
    process.kill(pool.pids[0]!, 'SIGSTOP');
    await expect(slide.readRegion(region)).rejects.toThrow(/was reading it took longer than 2 s and was stopped/);
    expect((await slide.readRegion(region)).width).toBe(300);
    await slide.close();
    pool.end();
  });

  it('that was ended, as idle ones are, is asked nothing more', async () => {
    const pool = new ReaderPool(1);
    const slide = await openSlideIn(pool, whole);
    const [pid] = pool.pids;
    pool.end();
    expect((await slide.readRegion(region)).width).toBe(300);
    expect(pool.pids).not.toContain(pid);
    await slide.close();
    pool.end();
  });

  it('ends with the process that started it, even while a native call hangs', async () => {
    // A native call on another thread that comes back after minutes, as a damaged slide may make one.
    const hang = write(
      'hang.mjs',
      `import { createRequire } from 'node:module';
      const koffi = createRequire(${JSON.stringify(join(projectRoot, 'package.json'))})('koffi');
      const library = koffi.load(process.platform === 'darwin' ? 'libSystem.dylib' : 'libc.so.6');
      library.func('unsigned int sleep(unsigned int seconds)').async(300, () => {});`,
    );
    const program = join(projectRoot, 'dist', 'slides', 'reader', 'process.js');
    const reader = spawn(process.execPath, ['--import', hang, program], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    try {
      // Its answer shows that it runs.
      const slide = { key: 0, path: whole, followLinks: false };
      reader.send({ id: 0, slot: 0, slide, request: { do: 'close' } });
      expect(await once(reader, 'message')).toEqual([{ id: 0 }, undefined]);
      const ended = once(reader, 'exit');
      reader.disconnect();
      expect((await ended)[1]).toBe('SIGKILL');
    } finally {
      reader.kill('SIGKILL');
    }
  }, 60_000);

  it('closes one slide while every slot is taken by another', async () => {
    const pool = new ReaderPool(1);
    const [slide, other] = [await openSlideIn(pool, whole), await openSlideIn(pool, whole)];
    const reads = Array.from({ length: 4 }, () => slide.readRegion(region));
    await other.close();
    expect((await Promise.all(reads)).every(({ width }) => width === 300)).toBe(true);
    await expect(other.readRegion(region)).rejects.toThrow(/was closed; open it again/);
    await slide.close();
    pool.end();
  });

  it.skipIf(process.platform !== 'linux')('that needs too much memory fails alone', async () => {
    const pool = new ReaderPool(1, { memoryLimit: 200 * 2 ** 20 });
    const slide = await openSlideIn(pool, whole);
    await expect(slide.readRegion({ ...region, width: 11_000, height: 11_000 })).rejects.toThrow(/memory/);
    expect((await slide.readRegion(region)).width).toBe(300);
    await slide.close();
    pool.end();
  });

  it('waits for reads in flight before it closes a slide', async () => {
    const pool = new ReaderPool(2);
    const slide = await openSlideIn(pool, whole);
    const reads = Array.from({ length: 12 }, () => slide.readRegion(region));
    await slide.close();
    expect((await Promise.allSettled(reads)).every(({ status }) => status === 'fulfilled')).toBe(true);
    pool.end();
  });
});

describe('damage at random', () => {
  it.each([
    ['the synthetic slide', () => whole],
    ...(samplePath ? [['the real sample slide', () => samplePath!] as [string, () => string]] : []),
  ])('%s: cut or with bytes changed, it is read or refused, and never takes the job along', async (_, path) => {
    const original = readFileSync(path());
    const random = key('damage').generator();
    const directory = original.readUInt32LE(4);
    const outcomes = { read: 0, refused: 0 };
    for (let trial = 0; trial < 30; trial++) {
      let content = Buffer.from(original);
      if (trial % 3 === 0) content = content.subarray(0, random.integer(content.length));
      else {
        const [start, length] = trial % 3 === 1 ? [directory, 400] : [0, content.length];
        for (let flip = 0; flip < 8; flip++)
          content[start + random.integer(Math.min(length, content.length - start))] = random.integer(256);
      }
      const damaged = write(`damaged-${trial}.svs`, content);
      try {
        const slide = await openSlide(damaged, { mpp: 0.5, timeLimit: 20 });
        try {
          const width = Math.min(2000, slide.width);
          const height = Math.min(2000, slide.height);
          await slide.readRegion({ x: 0, y: 0, level: 0, width, height });
          for (const name of Object.keys(slide.associatedImages)) await slide.readAssociatedImage(name);
        } finally {
          await slide.close();
        }
        outcomes.read++;
      } catch (error) {
        expect((error as Error).message).toContain(damaged);
        outcomes.refused++;
      }
      rmSync(damaged);
    }
    expect(outcomes.refused).toBeGreaterThan(5);
    const slide = await openSlide(path());
    expect((await slide.readRegion(region)).width).toBe(300);
    await slide.close();
  });
});

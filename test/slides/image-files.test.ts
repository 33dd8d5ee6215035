import { mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { key, sha256 } from '../../src/base/index.js';
import { type ImageOutcome, imageLimits, readImageFile, readImageFiles } from '../../src/slides/index.js';
import { ReaderPool, readersWithin, useReaderPool } from '../../src/slides/reader/pool.js';
import { readerTrap } from './reader-trap.js';
import { tiffOf, tiledImage } from './tiff-file.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pathlab-images-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => useReaderPool(undefined));

const write = (name: string, content: Uint8Array | string) => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};

const noise = (width: number, height: number) => {
  const generator = key('noise').generator();
  const pixels = Uint8Array.from({ length: width * height * 3 }, () => generator.integer(256));
  return sharp(pixels, { raw: { width, height, channels: 3 } });
};

const rgb = { as: 'rgb', limits: imageLimits } as const;

async function outcomes(
  sources: Parameters<typeof readImageFiles>[0],
  form: Parameters<typeof readImageFiles>[1] = rgb,
) {
  const found: ImageOutcome[] = [];
  for await (const outcome of readImageFiles(sources, form)) found.push(outcome);
  return found;
}

const faultOf = (outcome: ImageOutcome) => ('fault' in outcome ? outcome.fault : JSON.stringify(outcome).slice(0, 200));

/** An image's bytes with its size, which is `was` px wide and high, changed. */
function claiming(image: Buffer, was: number, width: number, height: number, bytes: 2 | 4): Buffer {
  const changed = Buffer.from(image);
  const size = Buffer.alloc(2 * bytes);
  size.writeUIntBE(was, 0, bytes);
  size.writeUIntBE(was, bytes, bytes);
  const at = changed.indexOf(size);
  changed.writeUIntBE(height, at + (bytes === 2 ? 0 : bytes), bytes);
  changed.writeUIntBE(width, at + (bytes === 2 ? bytes : 0), bytes);
  return changed;
}

describe('images', () => {
  it('come in order, from files, parts of files and memory, of every format alike', async () => {
    const formats = ['png', 'tiff', 'webp'] as const;
    const pixels = await noise(40, 30).raw().toBuffer();
    const encoded = await Promise.all(
      formats.map((format) => noise(40, 30).toFormat(format, { lossless: true, compression: 'lzw' }).toBuffer()),
    );
    const files = encoded.map((bytes, place) => write(`whole.${formats[place]}`, bytes));
    const both = write('two.bin', Buffer.concat(encoded));
    const part = { path: both, part: { offset: encoded[0]!.length, length: encoded[1]!.length } };
    const jpeg = await noise(40, 30).jpeg().toBuffer();
    const sources = [...files, ...encoded, part, jpeg, ...Array.from({ length: 100 }, () => files[0]!)];
    const found = await outcomes(sources);
    expect(found.map((outcome) => 'facts' in outcome && outcome.facts.format)).toEqual([
      ...[...formats, ...formats, 'tiff', 'jpeg'],
      ...Array.from({ length: 100 }, () => 'png'),
    ]);
    for (const [place, outcome] of found.entries()) {
      if (!('facts' in outcome)) throw new Error(faultOf(outcome));
      expect([outcome.facts.width, outcome.facts.height]).toEqual([40, 30]);
      if (place !== 7) expect(Buffer.compare(outcome.data, pixels)).toBe(0);
    }
    const gray = await readImageFile(encoded[0]!, { as: 'gray', side: 8, of: 'image', limits: imageLimits }, 'it');
    expect([gray.data.length, gray.facts.sha256]).toEqual([64, sha256(encoded[0]!)]);
  });

  it('are refused by what their headers claim, before they are decoded', async () => {
    const [png, jpeg, webp] = await Promise.all([
      noise(16, 16).png().toBuffer(),
      noise(16, 16).jpeg().toBuffer(),
      noise(16, 16).webp().toBuffer(),
    ]);
    const side = 2 ** 20;
    const claims = [
      claiming(png, 16, side, side, 4),
      claiming(jpeg, 16, 65_535, 65_535, 2),
      tiffOf([tiledImage(side, side)]),
      claiming(png, 16, 0, 16, 4),
      webp,
    ];
    const found = await outcomes(claims, { as: 'rgb', limits: { side: 2 ** 16, pixels: 255 } });
    expect(found.map(faultOf)).toEqual([
      expect.stringMatching(/^claims to be 1048576 x 1048576 px; it may have 1 to 65536 px along a side/),
      expect.stringMatching(/^claims to be 65535 x 65535 px/),
      expect.stringMatching(/claims to be 1048576 x 1048576 px/),
      expect.stringMatching(/^claims to be 0 x 16 px/),
      expect.stringMatching(/^claims to be 16 x 16 px; .* at most 255 in all/),
    ]);
  });

  it('that are none, empty, links, folders or not there say so', async () => {
    symlinkSync(join(folder, 'whole.png'), join(folder, 'link.png'));
    const sources = [
      write('text.png', 'a text'),
      write('empty.png', ''),
      folder,
      write('drawn.png', '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
      write('gif.png', await noise(9, 9).gif().toBuffer()),
      write('start.jpg', (await noise(9, 9).jpeg().toBuffer()).subarray(0, 30)),
    ];
    truncateSync(write('vast.jpg', await noise(9, 9).jpeg().toBuffer()), 2 ** 28 + 1);
    const gray = { as: 'gray', side: 8, of: 'image', limits: imageLimits } as const;
    const [vast] = await outcomes([join(folder, 'vast.jpg')], gray);
    expect(faultOf(vast!)).toBe('is too large for a patch: 268435457 bytes');
    const none = 'is not a jpeg, png, tiff, webp image';
    expect((await outcomes(sources)).map(faultOf)).toEqual([
      none,
      'is empty (0 bytes)',
      'is not a file',
      none,
      none,
      'is a JPEG that does not say its size, or is cut short before it does',
    ]);
    const unreadable = await outcomes([join(folder, 'link.png'), join(folder, 'nothing.png')]);
    expect(unreadable.map((outcome) => 'unreadable' in outcome && outcome.unreadable.code)).toEqual([
      'ELOOP',
      'ENOENT',
    ]);
    await expect(readImageFile(join(folder, 'nothing.png'), rgb, 'my image')).rejects.toThrow(
      /my image cannot be read: ENOENT/,
    );
  });

  it('that crash or hang their reader, or need too much memory, fail alone', async () => {
    const limits = { memoryLimit: 300 * 2 ** 20, nodeArguments: readerTrap(folder) };
    useReaderPool(new ReaderPool(2, limits, 8000));
    const small = await noise(9, 9).png().toBuffer();
    // Of an interlaced image all must be in memory.
    const create = { width: 8000, height: 8000, channels: 4 as const, background: '#ffffffff' };
    const bomb = await sharp({ create }).png({ progressive: true, compressionLevel: 2 }).toBuffer();
    expect(bomb.length).toBeLessThan(2 ** 21);
    const names = Array.from({ length: 80 }, (_, n) => `p${n}.png`);
    [names[3], names[50], names[60]] = ['crash.png', 'hang.png', 'bomb.png'];
    const files = names.map((name) => write(name, name === 'bomb.png' ? bomb : small));
    const found = await outcomes(files);
    const faults = found.flatMap((outcome, place) => ('facts' in outcome ? [] : [[names[place], faultOf(outcome)]]));
    expect(faults).toEqual([
      ['crash.png', 'cannot be read: the process that was reading it ended (SIGSEGV).'],
      ['hang.png', 'cannot be read: the process that was reading it took longer than 8 s and was stopped.'],
      ['bomb.png', expect.stringMatching(/memory/)],
    ]);
  });

  it('that are large come back in several answers', async () => {
    const large = write(
      'large.png',
      await sharp({ create: { width: 2000, height: 2000, channels: 3, background: '#123456' } })
        .png()
        .toBuffer(),
    );
    const found = await outcomes(Array.from({ length: 9 }, () => large));
    expect(found.map((outcome) => 'facts' in outcome && outcome.data.length)).toEqual(Array(9).fill(12e6));
  });
});

it('reader processes are as many as there are cores, or as fit in their memory', () => {
  const of = (mebibytes: number, cores: number) => {
    const { processes, cacheBytes } = readersWithin(mebibytes * 2 ** 20, cores);
    expect(processes * (64 * 2 ** 20 + cacheBytes)).toBeLessThanOrEqual(mebibytes * 2 ** 20);
    return [processes, Math.floor(cacheBytes / 2 ** 20)];
  };
  expect([of(640, 2), of(640, 4), of(640, 64), of(4096, 64)]).toEqual([
    [2, 128],
    [4, 96],
    [7, 27],
    [46, 25],
  ]);
  expect(() => readersWithin(2 ** 26, 4)).toThrow(/at least 88 MiB of memory; got 64 MiB/);
});

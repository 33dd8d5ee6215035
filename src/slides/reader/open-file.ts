import type { FileHandle } from 'node:fs/promises';
import { lstat, open, realpath } from 'node:fs/promises';
import { type OpenSlideLibrary, openSlideLibrary } from '../library.js';
import { checkTiff } from '../tiff/check.js';
import { checkImageSize, slideLimits } from '../tiff/limits.js';
import { parseTiff, type Tiff } from '../tiff/parse.js';
import { isJpegTiled, JpegTiles } from './jpeg-tiles.js';
import type { SlideFacts } from './messages.js';
import { overBackground, type Pixels } from './pixels.js';
import { TileCache } from './tile-cache.js';
import { turboJpeg } from './turbojpeg.js';

/** Formats in which a level's tiles lie edge to edge, so that they can be read without OpenSlide. */
const plainlyTiled = ['aperio', 'generic-tiff'];

/** A slide opened in a reader process. */
export interface OpenFile {
  facts: SlideFacts;
  /** Reads a rectangle in the level's pixels into `target`, whose size is the rectangle's. */
  read(level: number, x: number, y: number, target: Pixels): Promise<void>;
  readAssociated(name: string, target: Pixels): Promise<void>;
  close(): Promise<void>;
}

/** Decoded tiles that one process keeps, of all its slides. */
export interface SlideCaches {
  tiles: TileCache;
  /** OpenSlide's own, made when the first slide is opened. */
  openSlide(library: OpenSlideLibrary): unknown;
}

/** @param bytes that both together may come to; most slides are JPEG tiles, which OpenSlide does not read here */
export function slideCaches(bytes: number): SlideCaches {
  let made: unknown;
  return {
    tiles: new TileCache((3 * bytes) / 4),
    openSlide(library) {
      made ??= library.createCache(Math.floor(bytes / 4));
      return made;
    },
  };
}

/**
 * Opens a slide: its header is checked first, then OpenSlide opens it, and levels of JPEG tiles are read without it.
 *
 * @throws Error that names the file and says what is wrong with it
 */
export async function openFile(path: string, followLinks: boolean, caches: SlideCaches): Promise<OpenFile> {
  const file = await openRegularFile(path, followLinks);
  try {
    const tiff = await parseTiff(file);
    if (tiff) checkTiff(tiff);
    return await openChecked(path, file, tiff, caches);
  } catch (error) {
    await file.close();
    throw new Error(explainOpenError(path, (error as Error).message));
  }
}

/** Some messages name the file, some go on from its name, some stand for themselves. */
function explainOpenError(path: string, message: string): string {
  if (message.includes(path)) return message;
  return /^(is|has|claims|gives|does|became) /.test(message) ? `${path} ${message}` : `${path}: ${message}`;
}

async function openRegularFile(path: string, followLinks: boolean): Promise<FileHandle> {
  const facts = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') throw new Error(`the slide ${path} does not exist`);
    throw new Error(`the slide ${path} cannot be read: ${error.message}`);
  });
  if (facts.isSymbolicLink() && !followLinks) {
    const target = await realpath(path).catch(() => undefined);
    throw new Error(
      `${path} is a symbolic link to ${target ?? 'nothing'}, which is not followed; ` +
        'give the path of the file, or open it with followLinks: true',
    );
  }
  const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    throw new Error(`the slide ${path} cannot be read: ${error.message}`);
  });
  const opened = await file.stat();
  if (opened.isFile() && opened.size > 0) return file;
  await file.close();
  throw new Error(opened.isFile() ? `the slide ${path} is empty (0 bytes)` : `${path} is not a file, so not a slide`);
}

function kindOfTiff({ directories }: Tiff): string {
  return directories.some(({ tile }) => tile) ? 'is a TIFF' : 'is a TIFF that is not tiled';
}

function kindOfText(text: string): string {
  if (text.startsWith('\x89PNG')) return 'is a PNG';
  return text.startsWith('\xff\xd8\xff') ? 'is a JPEG' : `begins with ${JSON.stringify(text)}`;
}

async function openChecked(
  path: string,
  file: FileHandle,
  tiff: Tiff | undefined,
  caches: SlideCaches,
): Promise<OpenFile> {
  const library = openSlideLibrary();
  const vendor = await callAsync<string | null>(library.detectVendor, path);
  if (vendor === null) {
    const start = Buffer.alloc(24);
    const { bytesRead } = await file.read(start, 0, start.length, 0);
    const text = start.toString('latin1', 0, bytesRead);
    if (text.startsWith('version https://git-lfs')) {
      throw new Error(`${path} is a Git LFS pointer, not the slide itself; "git lfs pull" downloads the slide`);
    }
    throw new Error(
      `${path} is in no slide format that OpenSlide knows; it ${tiff ? kindOfTiff(tiff) : kindOfText(text)}. ` +
        '"vips tiffsave IN OUT.tif --tile --pyramid --compression jpeg" converts an image to a slide; ' +
        '"pathlab compile FOLDER --tile PX" cuts images into patches without conversion',
    );
  }
  const handle = await callAsync<unknown>(library.open, path);
  if (handle === null) throw new Error(`${path} looks like ${vendor}, but OpenSlide cannot open it`);
  try {
    const facts = readFacts(library, handle, vendor);
    library.setCache(handle, caches.openSlide(library));
    const tiles = jpegLevels(path, file, tiff, facts, caches.tiles);
    return openWith(library, handle, path, file, facts, tiles);
  } catch (error) {
    library.close(handle);
    throw error;
  }
}

function openWith(
  library: OpenSlideLibrary,
  handle: unknown,
  path: string,
  file: FileHandle,
  facts: SlideFacts,
  tiles: (JpegTiles | undefined)[],
): OpenFile {
  const throughOpenSlide = async (target: Pixels, into: (bgra: Buffer) => Promise<unknown>) => {
    const bgra = Buffer.allocUnsafeSlow(target.width * target.height * 4);
    await into(bgra);
    checkError(library, handle, path);
    overBackground(bgra, facts.background, target.data);
  };
  return {
    facts,
    async read(level, x, y, target) {
      const jpeg = tiles[level];
      if (jpeg) return jpeg.read(x, y, target);
      const { downsample } = facts.levels[level]!;
      const [left, top] = [Math.round(x * downsample), Math.round(y * downsample)];
      await throughOpenSlide(target, (bgra) =>
        callAsync(library.readRegion, handle, bgra, left, top, level, target.width, target.height),
      );
    },
    readAssociated: (name, target) =>
      throughOpenSlide(target, (bgra) => callAsync(library.readAssociatedImage, handle, name, bgra)),
    async close() {
      for (const level of tiles) level?.close();
      library.close(handle);
      await file.close();
    },
  };
}

function readFacts(library: OpenSlideLibrary, handle: unknown, vendor: string): SlideFacts {
  const error = library.error(handle);
  if (error !== null) throw new Error(error);
  const count = library.levelCount(handle);
  if (!(count > 0 && count <= slideLimits.levels)) {
    throw new Error(`claims ${count} levels; at most ${slideLimits.levels} are allowed`);
  }
  const levels = Array.from({ length: count }, (_, level) => {
    const size = dimensions((width, height) => library.levelDimensions(handle, level, width, height));
    checkImageSize(size.width, size.height, `level ${level}`);
    return { ...size, downsample: library.levelDownsample(handle, level), reader: 'openslide' as const };
  });
  const properties = Object.fromEntries(
    library.strings(library.propertyNames(handle)).map((name) => [name, library.propertyValue(handle, name) ?? '']),
  );
  const associatedImages = Object.fromEntries(
    library.strings(library.associatedImageNames(handle)).map((name) => {
      const size = dimensions((width, height) => library.associatedImageDimensions(handle, name, width, height));
      checkImageSize(size.width, size.height, `associated image ${name}`);
      return [name, size];
    }),
  );
  const background = parseColor(properties['openslide.background-color']);
  return { vendor, levels, properties, associatedImages, background };
}

/** For each level the reader of its tiles, where the file has one image of the level's size and it is JPEG tiles. */
function jpegLevels(
  path: string,
  file: FileHandle,
  tiff: Tiff | undefined,
  facts: SlideFacts,
  cache: TileCache,
): (JpegTiles | undefined)[] {
  const turbo = turboJpeg();
  if (!tiff || !turbo || !plainlyTiled.includes(facts.vendor)) return [];
  return facts.levels.map((level, index) => {
    const images = tiff.directories.filter(({ width, height }) => width === level.width && height === level.height);
    if (images.length !== 1 || !isJpegTiled(images[0]!)) return undefined;
    level.reader = 'jpeg';
    return new JpegTiles(file, turbo, images[0]!, `${path}: level ${index}`, facts.background, cache);
  });
}

function checkError(library: OpenSlideLibrary, handle: unknown, path: string): void {
  const error = library.error(handle);
  if (error !== null) throw new Error(`${path}: ${error}`);
}

function dimensions(fill: (width: number[], height: number[]) => void): { width: number; height: number } {
  const width = [0];
  const height = [0];
  fill(width, height);
  return { width: Number(width[0]), height: Number(height[0]) };
}

function callAsync<Result>(bound: { async(...values: unknown[]): void }, ...values: unknown[]): Promise<Result> {
  return new Promise((resolve, reject) => {
    bound.async(...values, (error: Error | null, result: Result) => (error ? reject(error) : resolve(result)));
  });
}

function parseColor(hexadecimal: string | undefined): [number, number, number] {
  if (!hexadecimal || !/^[0-9a-f]{6}$/i.test(hexadecimal)) return [255, 255, 255];
  const value = Number.parseInt(hexadecimal, 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

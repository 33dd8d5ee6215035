import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type OpenSlideLibrary, openSlideLibrary } from './library.js';
import { type Magnification, magnificationOf } from './magnification.js';
import { overBackground, type RgbImage, resize } from './rgb-image.js';

/** One resolution of a slide's pyramid. */
export interface SlideLevel {
  width: number;
  height: number;
  /** Level-0 pixels for each pixel of this level, along a side. */
  downsample: number;
}

/** Caps on what a file may claim; native code is given nothing beyond them. */
const mostLevels = 64;
const longestSide = 2 ** 21;
/** Of one read: its buffer is four bytes a pixel. */
const mostPixelsRead = 2 ** 27;

/**
 * Opens a slide in any format that OpenSlide reads.
 *
 * @param options.mpp size of a level-0 pixel, um, for files that do not say it
 * @throws Error when there is no such file, OpenSlide does not read it, or it claims absurd sizes
 */
export async function openSlide(path: string, options: { mpp?: number } = {}): Promise<Slide> {
  const file = resolve(path);
  await requireFile(file);
  const library = openSlideLibrary();
  const vendor = await callAsync<string | null>(library.detectVendor, file);
  if (vendor === null) throw new Error(`${file} is in no slide format that OpenSlide knows`);
  const handle = await callAsync<unknown>(library.open, file);
  if (handle === null) throw new Error(`${file} looks like ${vendor}, but OpenSlide cannot open it`);
  try {
    return new Slide(library, handle, file, vendor, options.mpp);
  } catch (error) {
    library.close(handle);
    throw error;
  }
}

async function requireFile(path: string): Promise<void> {
  const handle = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') throw new Error(`there is no slide ${path}`);
    throw new Error(`the slide ${path} cannot be read: ${error.message}`);
  });
  try {
    const facts = await handle.stat();
    if (!facts.isFile()) throw new Error(`${path} is not a file, so not a slide`);
    if (facts.size === 0) throw new Error(`the slide ${path} is empty (0 bytes)`);
  } finally {
    await handle.close();
  }
}

/** An open slide; made by `openSlide`. Places on it are given in level-0 pixels. */
export class Slide {
  readonly levels: readonly SlideLevel[];
  readonly properties: Readonly<Record<string, string>>;
  /** Sizes of the pictures that come with the slide: label, macro, thumbnail. */
  readonly associatedImages: Readonly<Record<string, { width: number; height: number }>>;
  /** Shown where the slide has no pixels: the file's background color, or white. */
  readonly background: readonly [red: number, green: number, blue: number];
  private readonly readsInFlight = new Set<Promise<unknown>>();
  private closing: Promise<void> | undefined;

  constructor(
    private readonly library: OpenSlideLibrary,
    private readonly handle: unknown,
    readonly path: string,
    readonly vendor: string,
    private readonly callersMpp: number | undefined,
  ) {
    this.checkError();
    this.levels = this.readLevels();
    this.properties = Object.fromEntries(
      library.strings(library.propertyNames(handle)).map((name) => [name, library.propertyValue(handle, name) ?? '']),
    );
    this.associatedImages = Object.fromEntries(
      library
        .strings(library.associatedImageNames(handle))
        .map((name) => [
          name,
          dimensions((width, height) => library.associatedImageDimensions(handle, name, width, height)),
        ]),
    );
    this.background = parseColor(this.properties['openslide.background-color']);
  }

  get width(): number {
    return this.levels[0]!.width;
  }

  get height(): number {
    return this.levels[0]!.height;
  }

  /** Size of the level-0 pixels and where it is known from. */
  get magnification(): Magnification {
    return magnificationOf(this.properties, this.callersMpp, this.path);
  }

  /** Size of a level-0 pixel, um. */
  get mpp(): number {
    return this.magnification.mpp;
  }

  /** Whether the slide says of itself that it is not from a patient. */
  get synthetic(): boolean {
    return (this.properties['tiff.ImageDescription'] ?? '').startsWith('SYNTHETIC');
  }

  /**
   * Reads pixels of one level; what lies outside the slide comes in the background color.
   *
   * @param region.x left edge, level-0 px; @param region.y top edge, level-0 px
   * @param region.width in pixels of the level; @param region.height in pixels of the level
   */
  async readRegion(region: { x: number; y: number; level: number; width: number; height: number }): Promise<RgbImage> {
    const { x, y, level, width, height } = region;
    if (!this.levels[level])
      throw new RangeError(`${this.path} has levels 0 to ${this.levels.length - 1}, not ${level}`);
    if (!Number.isSafeInteger(x) || !Number.isSafeInteger(y)) {
      throw new RangeError(`a region starts at whole level-0 pixels; got (${x}, ${y})`);
    }
    checkSize(width, height, this.path);
    return this.read(width, height, (pixels) =>
      callAsync(this.library.readRegion, this.handle, pixels, x, y, level, width, height),
    );
  }

  /**
   * Reads a region at any pixel size: from the coarsest level that is at least as fine as asked, then resampled
   * (Lanczos when it shrinks, cubic when it grows). The size read is rounded to whole pixels.
   *
   * @param region.x left edge, level-0 px; @param region.y top edge, level-0 px
   * @param region.width in pixels of the result; @param region.height in pixels of the result
   * @param region.mpp size of a pixel of the result, um
   */
  async readAt(region: { x: number; y: number; width: number; height: number; mpp: number }): Promise<RgbImage> {
    const { x, y, width, height, mpp } = region;
    checkSize(width, height, this.path);
    if (!(mpp > 0 && Number.isFinite(mpp))) throw new RangeError(`mpp must be above 0; got ${mpp}`);
    const level = this.levelFor(mpp);
    const factor = mpp / this.mppOfLevel(level);
    const source = await this.readRegion({
      x: Math.round(x),
      y: Math.round(y),
      level,
      width: Math.max(1, Math.round(width * factor)),
      height: Math.max(1, Math.round(height * factor)),
    });
    return resize(source, width, height);
  }

  /** The coarsest level whose pixels are no larger than `mpp` um; level 0 if even its are. */
  levelFor(mpp: number): number {
    let best = 0;
    for (let level = 1; level < this.levels.length; level++) {
      // A level of a pyramid is rarely an exact fraction of level 0.
      if (this.mppOfLevel(level) <= mpp * 1.005) best = level;
    }
    return best;
  }

  /** Size of a pixel of a level, um. */
  mppOfLevel(level: number): number {
    return this.mpp * this.levels[level]!.downsample;
  }

  /** Reads a picture that comes with the slide. */
  async readAssociatedImage(name: string): Promise<RgbImage> {
    const size = this.associatedImages[name];
    if (!size) {
      const names = Object.keys(this.associatedImages).join(', ') || 'none';
      throw new RangeError(`${this.path} has no associated image "${name}"; it has: ${names}`);
    }
    checkSize(size.width, size.height, this.path);
    return this.read(size.width, size.height, (pixels) =>
      callAsync(this.library.readAssociatedImage, this.handle, name, pixels),
    );
  }

  /** Closes the slide once reads in flight have ended; a second call waits for the same. */
  close(): Promise<void> {
    this.closing ??= Promise.allSettled(this.readsInFlight).then(() => this.library.close(this.handle));
    return this.closing;
  }

  private async read(width: number, height: number, into: (pixels: Buffer) => Promise<unknown>): Promise<RgbImage> {
    if (this.closing) throw new Error(`${this.path} was closed; open it again to read from it`);
    // Not from Node's pool: the buffer's memory belongs to the reading thread until the read ends.
    const pixels = Buffer.allocUnsafeSlow(width * height * 4);
    const reading = into(pixels);
    this.readsInFlight.add(reading);
    try {
      await reading;
      this.checkError();
    } finally {
      this.readsInFlight.delete(reading);
    }
    return { pixels: overBackground(pixels, this.background), width, height };
  }

  private checkError(): void {
    const error = this.library.error(this.handle);
    if (error !== null) throw new Error(`${this.path}: ${error}`);
  }

  private readLevels(): SlideLevel[] {
    const count = this.library.levelCount(this.handle);
    if (!(count > 0 && count <= mostLevels)) throw new Error(`${this.path} claims ${count} levels`);
    return Array.from({ length: count }, (_, level) => {
      const size = dimensions((width, height) => this.library.levelDimensions(this.handle, level, width, height));
      if (!(size.width > 0 && size.height > 0 && size.width <= longestSide && size.height <= longestSide)) {
        throw new Error(`${this.path} claims that level ${level} is ${size.width} x ${size.height} px`);
      }
      return { ...size, downsample: this.library.levelDownsample(this.handle, level) };
    });
  }
}

function checkSize(width: number, height: number, path: string): void {
  const whole = Number.isSafeInteger(width) && Number.isSafeInteger(height) && width > 0 && height > 0;
  if (!whole) throw new RangeError(`a region's width and height are whole pixels above 0; got ${width} x ${height}`);
  if (width * height > mostPixelsRead) {
    throw new RangeError(
      `${path}: ${width} x ${height} px is too much for one read (${mostPixelsRead} px); read it in parts`,
    );
  }
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

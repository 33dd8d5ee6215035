import { basename, resolve } from 'node:path';
import { customDisplay } from './custom-display.js';
import { type Magnification, magnificationOf } from './magnification.js';
import type { SlideFacts, SlideFile, SlideRequest } from './reader/messages.js';
import type { Box } from './reader/pixels.js';
import { type ReaderPool, readerPool } from './reader/pool.js';
import type { RgbImage } from './rgb-image.js';

/** One resolution of a slide's pyramid. */
export interface SlideLevel {
  width: number;
  height: number;
  /** Level-0 pixels for each pixel of this level, along a side. */
  downsample: number;
  /**
   * What decodes it: `jpeg`, tile by tile with libjpeg-turbo; or OpenSlide. Both give the same pixels, but OpenSlide, which
   * takes places in level-0 px, interpolates by less than a pixel where a coarser level's downsample is not whole.
   */
  reader: 'jpeg' | 'openslide';
}

export interface OpenSlideOptions {
  /** Size of a level-0 pixel, um, for files that do not say it, or say it wrongly (see `mppFrom`). */
  mpp?: number;
  /** Whose word counts where the file and `mpp` do not say the same; the file's by default. */
  mppFrom?: 'file' | 'caller';
  /** Opens a symbolic link's target; without it a link is refused. */
  followLinks?: boolean;
  /** Seconds that opening and any one read may take. */
  timeLimit?: number;
}

/** Of one read, along all its pixels. */
const maxPixelsRead = 2 ** 27;
const defaultTimeLimit = 120;

/** Formats that a sample of was read in the tests; the others are what OpenSlide says that it reads. */
const testedFormats = ['aperio', 'generic-tiff'];

let slidesOpened = 0;
const untestedSaid = new Set<string>();

/**
 * Opens a slide in any format that OpenSlide reads. The file's header is checked, and all reading done, in processes of
 * their own with a limit of time and memory: a slide that crashes or hangs a native library fails alone. Of a format that
 * was not tested (see `Slide.untestedFormat`) the first slide is opened with a warning.
 *
 * @throws Error when there is no such file, it is damaged or in no known format, or it claims absurd sizes
 */
export async function openSlide(path: string, options: OpenSlideOptions = {}): Promise<Slide> {
  return openSlideIn(readerPool(), path, options);
}

/** Opens a slide in reader processes of one's own. */
export async function openSlideIn(pool: ReaderPool, path: string, options: OpenSlideOptions = {}): Promise<Slide> {
  const seconds = options.timeLimit ?? defaultTimeLimit;
  if (!(seconds > 0 && seconds <= 86_400))
    throw new RangeError(`timeLimit is above 0 and up to 86400 s; got ${seconds}`);
  const file: SlideFile = { key: slidesOpened++, path: resolve(path), followLinks: options.followLinks ?? false };
  const facts = await pool.run({ slide: file, request: { do: 'open' } }, seconds * 1000, (answer) => answer.facts!);
  const slide = new Slide(pool, file, facts, seconds * 1000, options);
  if (slide.untestedFormat && !untestedSaid.has(slide.vendor)) {
    untestedSaid.add(slide.vendor);
    console.warn(
      `${slide.path} is in the format "${slide.vendor}": OpenSlide reads it, but no slide of this format was at hand to ` +
        'test with. Look at its overview before you use its patches.',
    );
  }
  return slide;
}

/** An open slide; made by `openSlide`. Places on it are given in level-0 pixels. */
export class Slide {
  readonly path: string;
  readonly vendor: string;
  readonly levels: readonly SlideLevel[];
  readonly properties: Readonly<Record<string, string>>;
  /** Sizes of the images that come with the slide: label, macro, thumbnail. */
  readonly associatedImages: Readonly<Record<string, { width: number; height: number }>>;
  /** Shown where the slide has no pixels: the file's background color, or white. */
  readonly background: readonly [red: number, green: number, blue: number];
  private readonly readsInFlight = new Set<Promise<unknown>>();
  private closing: Promise<void> | undefined;

  constructor(
    private readonly pool: ReaderPool,
    private readonly file: SlideFile,
    facts: SlideFacts,
    private readonly timeLimit: number,
    private readonly pixelSize: Pick<OpenSlideOptions, 'mpp' | 'mppFrom'>,
  ) {
    this.path = file.path;
    this.vendor = facts.vendor;
    this.levels = facts.levels;
    this.properties = facts.properties;
    this.associatedImages = facts.associatedImages;
    this.background = facts.background;
  }

  get width(): number {
    return this.levels[0]!.width;
  }

  get height(): number {
    return this.levels[0]!.height;
  }

  /** Size of the level-0 pixels, where it is known from, and what else the file says of it. */
  get magnification(): Magnification {
    return magnificationOf(this.properties, this.pixelSize, this.path);
  }

  /** Size of a level-0 pixel, um. */
  get mpp(): number {
    return this.magnification.mpp;
  }

  /** Whether the slide says of itself that it is not from a patient. */
  get synthetic(): boolean {
    return (this.properties['tiff.ImageDescription'] ?? '').startsWith('SYNTHETIC');
  }

  /** Whether no slide of this format was at hand to test with: OpenSlide reads it, and that is all that is known. */
  get untestedFormat(): boolean {
    return !testedFormats.includes(this.vendor);
  }

  /** Reads that may usefully be in flight. */
  get parallelReads(): number {
    return 2 * this.pool.size;
  }

  /** How a notebook shows it: as a thumbnail, with its name, size and pixel size in words. */
  async [customDisplay](): Promise<Record<string, string>> {
    const [{ thumbnail }, { default: sharp }] = await Promise.all([import('./thumbnail.js'), import('sharp')]);
    const { pixels, width, height } = await thumbnail(this, 512);
    const png = await sharp(pixels, { raw: { width, height, channels: 3 } })
      .png()
      .toBuffer();
    const words =
      `${basename(this.path)}: ${this.width} x ${this.height} px, ${this.mpp} um/px, ${this.levels.length} ` +
      `${this.levels.length === 1 ? 'level' : 'levels'}, ${this.vendor}${this.synthetic ? ', SYNTHETIC' : ''}`;
    return { 'image/png': png.toString('base64'), 'text/plain': words };
  }

  /**
   * Reads pixels of one level; what lies outside the slide comes in the background color. A place between two pixels of
   * the level is rounded.
   *
   * @param region.x left edge, level-0 px; @param region.y top edge, level-0 px
   * @param region.width in pixels of the level; @param region.height in pixels of the level
   */
  async readRegion(region: { x: number; y: number; level: number; width: number; height: number }): Promise<RgbImage> {
    const { x, y, level, width, height } = region;
    const { downsample } = this.requireLevel(level);
    if (!Number.isSafeInteger(x) || !Number.isSafeInteger(y)) {
      throw new RangeError(`a region starts at whole level-0 pixels; got (${x}, ${y})`);
    }
    checkSize(width, height, this.path);
    const [left, top] = [Math.round(x / downsample), Math.round(y / downsample)];
    return this.readImageFile({ do: 'region', level, x: left, y: top, width, height }, width, height);
  }

  /**
   * Reads a region at any pixel size: from the coarsest level that is at least as fine as asked, then resampled
   * (Lanczos). The region's edges may lie within pixels, so its size is exact.
   *
   * @param region.x left edge, level-0 px; @param region.y top edge, level-0 px
   * @param region.width in pixels of the result; @param region.height in pixels of the result
   * @param region.mpp size of a pixel of the result, um
   */
  async readAt(region: { x: number; y: number; width: number; height: number; mpp: number }): Promise<RgbImage> {
    const { width, height, mpp } = region;
    checkSize(width, height, this.path);
    checkMpp(mpp);
    const level = this.levelFor(mpp);
    const box = this.boxOn(level, region);
    return this.readImageFile({ do: 'boxes', level, boxes: [box], width, height, margin: false }, width, height);
  }

  /**
   * Reads several regions at any pixel size, as `readAt` does, in one request. This is the fast way to many patches:
   * regions near each other share what was decoded.
   *
   * @param regions left top corners, level-0 px
   * @param options.jpegQuality encodes them (4:4:4) where they are read
   * @returns RGB of each, `[height, width, 3]`, or its JPEG
   */
  async readManyAt(
    regions: readonly { x: number; y: number }[],
    options: { width: number; height: number; mpp: number; margin?: boolean; jpegQuality?: number },
  ): Promise<Uint8Array[]> {
    const { width, height, mpp, margin = false, jpegQuality } = options;
    checkSize(width, height * Math.max(1, regions.length), this.path);
    checkMpp(mpp);
    if (jpegQuality !== undefined && !(Number.isInteger(jpegQuality) && jpegQuality >= 1 && jpegQuality <= 100)) {
      throw new RangeError(`jpegQuality must be an integer from 1 to 100; got ${jpegQuality}`);
    }
    if (regions.length === 0) return [];
    const level = this.levelFor(mpp);
    const boxes = regions.map(({ x, y }) => this.boxOn(level, { x, y, width, height, mpp }));
    return this.read({ do: 'boxes', level, boxes, width, height, margin, jpegQuality });
  }

  /** The coarsest level whose pixels are not larger than `mpp` um; level 0 if even its are. */
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

  /** Reads an image that comes with the slide. */
  async readAssociatedImage(name: string): Promise<RgbImage> {
    const size = Object.hasOwn(this.associatedImages, name) ? this.associatedImages[name] : undefined;
    if (!size) {
      const names = Object.keys(this.associatedImages).join(', ') || 'none';
      throw new RangeError(`${this.path} has no associated image "${name}"; it has: ${names}`);
    }
    checkSize(size.width, size.height, this.path);
    return this.readImageFile({ do: 'associated', name }, size.width, size.height);
  }

  /** Closes the slide once reads in flight have ended; a second call waits for the same. */
  close(): Promise<void> {
    this.closing ??= Promise.allSettled(this.readsInFlight).then(() => this.pool.close(this.file, this.timeLimit));
    return this.closing;
  }

  private requireLevel(level: number): SlideLevel {
    const found = this.levels[level];
    if (!found) throw new RangeError(`${this.path} has levels 0 to ${this.levels.length - 1}, not ${level}`);
    return found;
  }

  /** A region in pixels of a level. */
  private boxOn(level: number, region: { x: number; y: number; width: number; height: number; mpp: number }): Box {
    const { downsample } = this.levels[level]!;
    const [left, top] = [region.x / downsample, region.y / downsample];
    const factor = region.mpp / this.mppOfLevel(level);
    const box = { left, top, right: left + region.width * factor, bottom: top + region.height * factor };
    if (!Object.values(box).every((edge) => Math.abs(edge) < 2 ** 30)) {
      throw new RangeError(`a region at (${region.x}, ${region.y}) is far from the slide ${this.path}`);
    }
    checkSize(Math.ceil(region.width * factor), Math.ceil(region.height * factor), this.path);
    return box;
  }

  private async readImageFile(request: SlideRequest, width: number, height: number): Promise<RgbImage> {
    const [pixels] = await this.read(request);
    return { pixels: pixels!, width, height };
  }

  private async read(request: SlideRequest): Promise<Uint8Array[]> {
    if (this.closing) throw new Error(`${this.path} was closed; open it again to read from it`);
    const reading = this.pool.run({ slide: this.file, request }, this.timeLimit, ({ lengths, read }) => {
      let at = 0;
      return lengths.map((length) => {
        const bytes = new Uint8Array(length);
        read(bytes, at);
        at += length;
        return bytes;
      });
    });
    this.readsInFlight.add(reading);
    try {
      return await reading;
    } finally {
      this.readsInFlight.delete(reading);
    }
  }
}

function checkSize(width: number, height: number, path: string): void {
  const whole = Number.isSafeInteger(width) && Number.isSafeInteger(height) && width > 0 && height > 0;
  if (!whole) throw new RangeError(`a region's width and height are whole pixels above 0; got ${width} x ${height}`);
  if (width * height > maxPixelsRead) {
    throw new RangeError(
      `${path}: ${width} x ${height} px is too much for one read (${maxPixelsRead} px); read it in parts`,
    );
  }
}

function checkMpp(mpp: number): void {
  if (!(mpp > 0 && Number.isFinite(mpp))) throw new RangeError(`mpp must be above 0; got ${mpp}`);
}

import { open } from 'node:fs/promises';
import { readImageFile } from '../image-files.js';
import type { PatchIndex } from '../patch-grid.js';
import { openSlide, type Slide } from '../slide.js';
import { slideLimits } from '../tiff/limits.js';
import { paletteColor, parseTiff } from '../tiff/parse.js';
import { boundsOf, type Polygon } from './polygons.js';
import { type LabelRegion, rasterizePolygon } from './rasterize.js';

/** Labels of a slide's places: a label image or polygons. Beyond the slide the label is the background's. */
export interface LabelSource {
  /** Labels of a grid of pixels, `[height, width]`: each pixel takes the label at its center. */
  read(region: LabelRegion): Promise<Uint8Array>;
  close(): Promise<void>;
}

type SlideSize = Pick<Slide, 'path' | 'width' | 'height'>;

/**
 * Opens a label image of a slide: a PNG, or a tiled TIFF as `openSlide` reads it, whose palette's index, gray value or red
 * channel is the label. It may be smaller than the slide by one factor. Labels are never mixed: the nearest pixel counts.
 *
 * @param options.background label beyond the image
 * @param options.downsample level-0 px for each pixel of the image, where it is known; by default as the sizes say
 * @throws Error when the image does not have the slide's proportions, is JPEG, which changes labels, or does not hold bytes
 */
export async function openLabelImage(
  path: string,
  slide: SlideSize,
  options: { background?: number; downsample?: number } = {},
): Promise<LabelSource> {
  const background = options.background ?? 0;
  const image = /\.png$/i.test(path) ? await openPng(path) : await openTiff(path);
  // The longer side says it more exactly.
  const factor =
    options.downsample ?? (slide.width > slide.height ? slide.width / image.width : slide.height / image.height);
  const isFitting = (own: number, whole: number) => Math.abs(own * factor - whole) <= Math.max(1, factor);
  if (!isFitting(image.width, slide.width) || !isFitting(image.height, slide.height)) {
    await image.close();
    throw new Error(
      `the mask ${path} is ${image.width} x ${image.height} px and does not fit the slide ${slide.path} of ` +
        `${slide.width} x ${slide.height} px`,
    );
  }
  return labelsOf(image, { across: factor, down: factor }, background);
}

/** Labels that are in memory, `[height, width]`, and cover a slide. */
export function rasterLabels(
  labels: Uint8Array,
  { width, height }: { width: number; height: number },
  slide: Pick<Slide, 'width' | 'height'>,
): LabelSource {
  return labelsOf(rasterImage(labels, width, height), { across: slide.width / width, down: slide.height / height }, 0);
}

/** @param factor level-0 px for each pixel of the image */
function labelsOf(image: LabelImage, factor: { across: number; down: number }, background: number): LabelSource {
  return {
    close: () => image.close(),
    async read({ x, y, width, height, pixelSize }) {
      const nearest = (start: number, count: number, limit: number, factor: number) =>
        Int32Array.from({ length: count }, (_, place) => {
          const at = Math.floor((start + (place + 0.5) * pixelSize) / factor);
          return at < limit ? at : -1;
        });
      const columns = nearest(x, width, image.width, factor.across);
      const rows = nearest(y, height, image.height, factor.down);
      const result = new Uint8Array(width * height).fill(background);
      const [left, right] = extent(columns);
      const [top, bottom] = extent(rows);
      if (left > right || top > bottom) return result;
      const part = await image.read(left, top, right - left + 1, bottom - top + 1);
      for (let row = 0; row < height; row++) {
        if (rows[row]! < 0) continue;
        const line = (rows[row]! - top) * (right - left + 1) - left;
        for (let column = 0; column < width; column++) {
          if (columns[column]! >= 0) result[row * width + column] = part[line + columns[column]!]!;
        }
      }
      return result;
    },
  };
}

/** First and last of the places that are not negative; places ascend. */
function extent(places: Int32Array): [number, number] {
  const inside = places.filter((place) => place >= 0);
  return inside.length > 0 ? [inside[0]!, inside.at(-1)!] : [0, -1];
}

interface LabelImage {
  width: number;
  height: number;
  read(x: number, y: number, width: number, height: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** Numbers of TIFF's compressions: JPEG, of old and of Technical Note 2. */
const jpegCompressions = [6, 7];

async function openTiff(path: string): Promise<LabelImage> {
  const slide = await openSlide(path, { mpp: 1 }).catch((error: Error) => {
    if (!error.message.includes('is in no slide format')) throw error;
    throw new Error(`the mask ${path} is neither a PNG nor a tiled TIFF; write it as a PNG of class numbers`);
  });
  try {
    await requireLabels(path, slide);
  } catch (error) {
    await slide.close();
    throw error;
  }
  return {
    width: slide.width,
    height: slide.height,
    async read(x, y, width, height) {
      const { pixels } = await slide.readRegion({ x, y, level: 0, width, height });
      return Uint8Array.from({ length: width * height }, (_, pixel) => pixels[3 * pixel]!);
    },
    close: () => slide.close(),
  };
}

/** OpenSlide gives bytes also of what is none: of 16 bits the upper eight, which of labels are 0. */
async function requireLabels(path: string, { width, height }: SlideSize): Promise<void> {
  const file = await open(path, 'r');
  try {
    const images = (await parseTiff(file))?.directories ?? [];
    const image = images.find((each) => each.width === width && each.height === height);
    if (!image) return;
    const bits = Math.max(...image.bitsPerSample);
    if (bits > 8) throw new Error(`the mask ${path} holds values of ${bits} bits; write class numbers with 8 bits`);
    if (image.photometric === paletteColor) {
      throw new Error(
        `the mask ${path} has a palette, which is supported in PNG only: write it as PNG, or as gray values`,
      );
    }
    if (jpegCompressions.includes(image.compression)) {
      throw new Error(`the mask ${path} is JPEG, which changes labels; write it with a lossless compression`);
    }
  } finally {
    await file.close();
  }
}

/** A PNG is read whole, into this process's memory; it may have this many pixels. */
const pngLimits = { side: slideLimits.side, pixels: 2 ** 28 };

async function openPng(path: string): Promise<LabelImage> {
  const form = { as: 'labels', tolerant: false, limits: pngLimits } as const;
  const { facts, data: labels } = await readImageFile(path, form, `the mask ${path}`);
  const { width, height, depth } = facts;
  if (depth !== 'uchar') throw new Error(`the mask ${path} holds ${depth} values; write class numbers with 8 bits`);
  return rasterImage(labels, width, height);
}

function rasterImage(labels: Uint8Array, width: number, height: number): LabelImage {
  return {
    width,
    height,
    async read(x, y, across, down) {
      const result = new Uint8Array(across * down);
      for (let row = 0; row < down; row++) {
        const from = (y + row) * width + x;
        result.set(labels.subarray(from, from + across), row * across);
      }
      return result;
    },
    async close() {},
  };
}

/**
 * Polygons as labels, painted in the order of `labels`: a later class lies over an earlier one, so exclusions come last.
 *
 * @param options.labels label of each class name
 * @param options.background label of what no polygon covers
 * @throws Error when a polygon has no class, or one without a label, or lies outside the slide
 */
export function polygonLabels(
  polygons: readonly Polygon[],
  slide: SlideSize,
  options: { labels: Readonly<Record<string, number>>; background?: number },
): LabelSource {
  const { labels, background = 0 } = options;
  for (const label of [...Object.values(labels), background]) {
    if (!(Number.isInteger(label) && label >= 0 && label <= 255)) {
      throw new RangeError(`labels are whole numbers from 0 to 255; got ${label}`);
    }
  }
  const painted = polygons.map((polygon) => {
    const group = groupOf(polygon, slide, Object.keys(labels));
    const bounds = boundsOf(polygon.rings);
    if (bounds.right <= 0 || bounds.bottom <= 0 || bounds.left >= slide.width || bounds.top >= slide.height) {
      throw new Error(
        `${placeOf(polygon, slide)} ("${polygon.name}") lies outside the slide ${slide.path}: from ` +
          `(${bounds.left}, ${bounds.top}) to (${bounds.right}, ${bounds.bottom}), and the slide is ` +
          `${slide.width} x ${slide.height} px`,
      );
    }
    return { polygon, bounds, label: labels[group]!, order: Object.keys(labels).indexOf(group) };
  });
  painted.sort((one, other) => one.order - other.order);
  return {
    async read(region) {
      const result = new Uint8Array(region.width * region.height).fill(background);
      const right = region.x + region.width * region.pixelSize;
      const bottom = region.y + region.height * region.pixelSize;
      for (const { polygon, bounds, label } of painted) {
        const apart = bounds.right < region.x || bounds.left > right || bounds.bottom < region.y || bounds.top > bottom;
        if (!apart) rasterizePolygon(polygon, region, label, result);
      }
      return result;
    },
    async close() {},
  };
}

/** A polygon's class among those that have labels: by its whole name, or by one of a derived class's parts. */
function groupOf(polygon: Polygon, slide: SlideSize, known: readonly string[]): string {
  const { name } = polygon;
  if (known.includes(name)) return name;
  const parts = name.split(': ').filter((part) => known.includes(part));
  if (parts.length === 1) return parts[0]!;
  const what =
    name === ''
      ? 'has no classification'
      : parts.length > 1
        ? `is of the class "${name}", and ${parts.join(' and ')} have labels of their own: give one to the whole name`
        : `is of the class "${name}", which has no label`;
  throw new Error(
    `${placeOf(polygon, slide)} ${what}. Labels are given to ${known.join(', ')}: change its class to one of these, or remove it from the file`,
  );
}

const placeOf = ({ place }: Polygon, { path }: SlideSize) => place ?? `a polygon of ${path}`;

/**
 * Labels of one patch, pixel for pixel with its image.
 *
 * @param size side of the image, px; by default the geometry's
 * @returns `[size, size]`
 */
export function readLabelPatch(
  labels: LabelSource,
  index: PatchIndex,
  patch: number,
  size = index.geometry.pixels,
): Promise<Uint8Array> {
  const [x, y] = [index.x[patch]!, index.y[patch]!];
  return labels.read({ x, y, width: size, height: size, pixelSize: index.side / size });
}

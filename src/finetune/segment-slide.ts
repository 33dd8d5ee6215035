import { explainDiskFull, removeUnfinished, writeFileAtomic } from '../base/index.js';
import { unlabelled } from '../datasets/index.js';
import type { Tensor } from '../engine/index.js';
import {
  checkGeometry,
  LabelTiffWriter,
  type PatchGeometry,
  type Resampling,
  rasterLabels,
  resampling,
  type Slide,
  slideOverview,
  type TissueMask,
  tissueMask,
} from '../slides/index.js';
import { BlendedRows } from './blended-rows.js';
import { checkClasses, type PredictedClass } from './classes.js';
import { LabelThumbnail } from './label-thumbnail.js';
import { PolygonFile, type PolygonOptions } from './polygon-file.js';
import { type PredictTilesOptions, predictTiles } from './predict-tiles.js';
import { TissueRows } from './tissue-rows.js';
import { windowAxis } from './windows.js';

/** Longest side of the overlay, px. */
const overlaySide = 900;

export interface SegmentOptions extends PredictTilesOptions {
  /** Of the probabilities, in their order; a pixel's label is its class's number. */
  classes: readonly PredictedClass[];
  /** Of a window: its side in um and px, as the network was trained. */
  geometry: PatchGeometry;
  /** Share of its side that a window has in common with the next, 0 to below 1; a quarter by default. */
  overlap?: number;
  /** Where there is something to segment: by default what `tissueMask` finds; `null` for all of the slide. */
  tissue?: TissueMask | null;
  /** Label of what is not tissue: `unlabelled` by default, or the number of a class, such as the background's. */
  outside?: number;
  files: {
    /** A tiled pyramidal TIFF of labels, gray values of 8 bits, at the geometry's pixel size. */
    labels: string;
    /** GeoJSON of the classes' areas, which QuPath opens as annotations. */
    polygons?: string;
    /** A PNG of the slide's thumbnail tinted by class. */
    overlay?: string;
  };
  polygons?: PolygonOptions;
  onProgress?: (done: number, total: number) => void;
}

/** What was written of a slide. */
export interface SlideSegmentation {
  /** Of the label image, px. */
  width: number;
  height: number;
  /** Size of its pixels, um, and in level-0 px along a side. */
  umPerPixel: number;
  downsample: number;
  /** What was done to the pixels that were read. */
  resampling: Resampling;
  /** Windows that were predicted. */
  windows: number;
  /** Of each class, its label, its pixels and its area, mm2. */
  classes: { name: string; color: string; label: number; pixels: number; squareMillimeters: number }[];
  /** Areas in the GeoJSON file. */
  polygons: number;
  /** The overlay, a PNG with a legend. */
  overlay: Uint8Array;
}

/**
 * Segments a whole slide with windows that overlap. The probabilities of the windows over a pixel are averaged, with weights
 * that fall toward a window's edges as a raised cosine; the most probable class is the pixel's label. No window reaches over
 * the slide's edge: the last of each row and column is moved inwards, and a slide smaller than a window is filled up with its
 * background color. Windows without tissue are left out, so that every tissue pixel has all of its windows.
 *
 * Memory does not grow with the slide's height: it is `4 x geometry.pixels x width x classes` bytes for the sums of one row of
 * windows, with the slide's width in pixels of the geometry, beside a row of tiles of labels, some batches of images, and the
 * corners of outlines under way.
 *
 * Files have temporary names until all of them are whole.
 *
 * @param predict from images `[batch, pixels, pixels, 3]`, float32 0 to 1, to class probabilities `[batch, pixels, pixels,
 *   classes]`, as `predictedViews`. It is compiled; a network that is cut off at its edges gains from more overlap
 * @throws InterruptedError when `signal` aborts: no file is left; RangeError for options that do not fit, and for another
 *   shape or what are no probabilities
 */
export async function segmentSlide(
  slide: Slide,
  predict: (images: Tensor) => Tensor,
  options: SegmentOptions,
): Promise<SlideSegmentation> {
  const { geometry, classes, files, outside = unlabelled, onProgress } = options;
  checkGeometry(geometry);
  checkClasses(classes, unlabelled);
  const overlap = overlapOf(options);
  if (outside !== unlabelled && !classes[outside]) {
    throw new RangeError(`outside is ${unlabelled} or one of ${classes.length} classes, from 0 on; got ${outside}`);
  }
  const size = geometry.pixels;
  const mpp = geometry.micrometers / size;
  const downsample = mpp / slide.mpp;
  const { width, height } = sizeAt(slide, downsample);
  const mask = options.tissue === undefined ? await tissueMask(slide) : options.tissue;
  const tissue = new TissueRows(mask, { width, height }, downsample);
  const [columns, rows] = [windowAxis(width, size, overlap), windowAxis(height, size, overlap)];
  const windows = rows.starts.flatMap((top, row) =>
    columns.starts.flatMap((left, column) => (tissue.isIn(left, top, size) ? [{ left, top, column, row }] : [])),
  );
  const thumbnail = new LabelThumbnail(width, height, overlaySide);
  const pixels = new Array<number>(classes.length).fill(0);
  let labelFile: LabelTiffWriter | undefined;
  let polygonFile: PolygonFile | undefined;

  const write = async (labels: Uint8Array) => {
    for (const label of labels) if (label < classes.length) pixels[label]!++;
    thumbnail.add(labels);
    await labelFile!.write(labels);
    await polygonFile?.add(labels);
  };
  const run = async () => {
    for (const path of Object.values(files)) await removeUnfinished(path);
    const description = describe(slide, classes, mpp);
    labelFile = await LabelTiffWriter.create(files.labels, { width, height, umPerPixel: mpp, description });
    if (files.polygons !== undefined) {
      polygonFile = await PolygonFile.create(files.polygons, { slide, width, mpp, classes, ...options.polygons });
    }
    const blended = new BlendedRows({ columns, rows, size, classes: classes.length });
    const places = windows.map(({ left, top }) => ({ x: left * downsample, y: top * downsample }));
    const tiles = { places, size, mpp, margin: true };
    let under = 0;
    const advance = async (row: number) => {
      for (; under < row; under++) await write(blended.take(rows.starts[under + 1] ?? height, tissue, outside));
    };
    for await (const { tile, probabilities } of predictTiles(
      slide,
      tiles,
      predict,
      [size, size, classes.length],
      options,
    )) {
      const { column, row } = windows[tile]!;
      await advance(row);
      blended.add(probabilities, column, row);
      onProgress?.(tile + 1, windows.length);
    }
    await advance(rows.starts.length);
    const summary = classes.map(({ name, color }, label) => ({
      ...{ name, color, label, pixels: pixels[label]! },
      squareMillimeters: (pixels[label]! * mpp ** 2) / 1e6,
    }));
    const overlay = await drawOverlay(slide, mask, thumbnail, summary);
    const polygons = (await polygonFile?.end()) ?? 0;
    await labelFile.finish();
    await polygonFile?.finish();
    if (files.overlay !== undefined) await writeFileAtomic(files.overlay, overlay);
    const read = slide.mppOfLevel(slide.levelFor(mpp));
    return {
      ...{ width, height, umPerPixel: mpp, downsample, resampling: resampling(read, mpp) },
      ...{ windows: windows.length, classes: summary, polygons, overlay },
    };
  };
  try {
    return await explainDiskFull(
      run,
      () => `the segmentation of ${slide.path} left no file; make room and run it again`,
    );
  } catch (error) {
    await labelFile?.abandon();
    await polygonFile?.abandon();
    throw error;
  }
}

/** Pixels that cover a slide; a row or column of which hardly anything lies on it is left out. */
function sizeAt(slide: Slide, downsample: number): { width: number; height: number } {
  const pixels = (side: number) => Math.max(1, Math.ceil(side / downsample - 0.05));
  return { width: pixels(slide.width), height: pixels(slide.height) };
}

/** Whole pixels that windows have in common. */
function overlapOf({ overlap = 0.25, geometry }: SegmentOptions): number {
  const pixels = Math.round(overlap * geometry.pixels);
  if (overlap >= 0 && pixels < geometry.pixels) return pixels;
  throw new RangeError(`overlap is a share of a window's side, from 0 to below 1; got ${overlap}`);
}

function describe(slide: Slide, classes: readonly PredictedClass[], mpp: number): string {
  const named = classes.map(({ name }, label) => `${label} ${name}`).join(', ');
  return `${slide.synthetic ? 'SYNTHETIC: ' : ''}predicted labels: ${named}; ${unlabelled} none. MPP = ${mpp}`;
}

function drawOverlay(
  slide: Slide,
  mask: TissueMask | null,
  thumbnail: LabelThumbnail,
  classes: SlideSegmentation['classes'],
): Promise<Uint8Array> {
  const all = classes.reduce((sum, { pixels }) => sum + pixels, 0);
  const shown = classes.map(({ name, color, label, pixels }) => ({
    ...{ label, color },
    name: `${name}: ${((100 * pixels) / Math.max(1, all)).toFixed(1)} %`,
  }));
  return slideOverview(slide, mask ?? undefined, undefined, {
    maxSize: overlaySide,
    labels: { classes: shown, source: rasterLabels(thumbnail.labels, thumbnail, slide) },
  });
}

import { type Key, sha256, writeFileAtomic } from '../../runs/index.js';
import { drawLayout } from './draw-layout.js';
import { tissueKind, tissueKinds } from './kinds/index.js';
import { labelMap, marginMicrometers, planLayout } from './layout.js';
import type { TissueStyle } from './plan.js';
import { slideTiff } from './slide-tiff.js';
import { colorTable, drawStain, type SlideStain } from './stains.js';

/** Raised whenever the same key would give other pixels. */
export const syntheticGeneratorVersion = 1;

export interface SyntheticSlideOptions {
  /** Tissue on the slide in patches; glass comes around it. */
  columns?: number;
  rows?: number;
  /** Side of a patch, um, a whole number. */
  patchMicrometers?: number;
  /** Side of an area of one kind, in patches. */
  blockPatches?: number;
  /** Size of a pixel, um. */
  umPerPixel?: number;
  /** Names of tissue kinds; by default all. */
  kinds?: readonly string[];
}

/** What is known of a synthetic slide; written beside it as JSON. */
export interface SyntheticSlideRecord {
  synthetic: true;
  generatorVersion: number;
  /** The key that made it, in hexadecimal. */
  key: string;
  options: Required<SyntheticSlideOptions>;
  width: number;
  height: number;
  umPerPixel: number;
  /** Names of the kinds; the label map's numbers are places in this list. */
  kinds: readonly string[];
  stain: SlideStain;
  style: TissueStyle;
  /** Kind of the tissue at cells of `umPerCell`, row by row from the top left corner; -1 on glass. */
  labelMap: { umPerCell: number; width: number; height: number; data: readonly number[] };
}

/** The record of a slide that was written. */
export interface SyntheticSlideFile extends SyntheticSlideRecord {
  /** The TIFF: its size and the SHA-256 of its bytes. */
  file: { bytes: number; sha256: string };
}

export interface SyntheticSlide {
  /** RGB, `[height, width, 3]`. */
  pixels: Uint8Array;
  width: number;
  height: number;
  record: SyntheticSlideRecord;
}

const labelCellMicrometers = 20;

/** Above this a slide would not fit in memory while it is drawn. */
const mostPixels = 400e6;

/**
 * Draws a synthetic H&E slide: blocks of tissue kinds that differ in structure and not in color, on glass. The same
 * options and key give the same bytes.
 *
 * @throws RangeError for options that make no slide; InterruptedError when `signal` aborts
 */
export async function renderSyntheticSlide(
  options: SyntheticSlideOptions,
  key: Key,
  signal?: AbortSignal,
): Promise<SyntheticSlide> {
  const settings = syntheticSlideSettings(options);
  const kinds = settings.kinds.map(tissueKind);
  const layout = planLayout(settings, kinds.length, key.fold('layout'));
  const { umPerPixel } = settings;
  const random = key.fold('slide').generator();
  const stain = drawStain(random);
  const style: TissueStyle = { scale: random.between(0.88, 1.14), nucleusDiameter: random.between(6.3, 7.5) };
  const { pixels, width, height } = await drawLayout(
    layout,
    { kinds, umPerPixel, style, colors: colorTable(stain) },
    key,
    signal,
  );
  const record: SyntheticSlideRecord = {
    synthetic: true,
    generatorVersion: syntheticGeneratorVersion,
    key: key.toString(),
    options: settings,
    width,
    height,
    umPerPixel,
    kinds: settings.kinds,
    stain,
    style,
    labelMap: labelMap(layout, labelCellMicrometers),
  };
  return { pixels, width, height, record };
}

/**
 * Draws a slide and writes it as a tiled pyramidal JPEG TIFF, with its record beside it as `<name>.json`. The record
 * is written last, so that a slide with a record is whole.
 *
 * @param path where the slide goes, ending in .tif or .tiff
 */
export async function writeSyntheticSlide(
  path: string,
  options: SyntheticSlideOptions,
  key: Key,
  signal?: AbortSignal,
): Promise<SyntheticSlideFile> {
  const recordPath = syntheticRecordPath(path);
  const { pixels, width, height, record } = await renderSyntheticSlide(options, key, signal);
  const file = await slideTiff(
    { pixels, width, height },
    { umPerPixel: record.umPerPixel, jpegQuality: 80, description: describe(record) },
  );
  const written = { ...record, file: { bytes: file.length, sha256: sha256(file) } };
  await writeFileAtomic(path, file);
  await writeFileAtomic(recordPath, `${JSON.stringify(written)}\n`);
  return written;
}

/** Where the record of a synthetic slide is: beside it. */
export function syntheticRecordPath(slidePath: string): string {
  if (!/\.tiff?$/.test(slidePath)) {
    throw new RangeError(`a synthetic slide is a TIFF: its name must end in .tif or .tiff, not as ${slidePath}`);
  }
  return slidePath.replace(/\.tiff?$/, '.json');
}

function describe(record: SyntheticSlideRecord): string {
  return (
    `SYNTHETIC H&E, drawn by pathlab (generator ${record.generatorVersion}, key ${record.key}); ` +
    `not from a patient. Kinds: ${record.kinds.join(', ')}. MPP = ${record.umPerPixel}`
  );
}

/**
 * Fills in what was left out.
 *
 * @throws RangeError for options that make no slide
 */
export function syntheticSlideSettings(options: SyntheticSlideOptions): Required<SyntheticSlideOptions> {
  const settings = {
    columns: options.columns ?? 8,
    rows: options.rows ?? 6,
    patchMicrometers: options.patchMicrometers ?? 200,
    blockPatches: options.blockPatches ?? 2,
    umPerPixel: options.umPerPixel ?? 0.5,
    kinds: [...(options.kinds ?? tissueKinds.map((kind) => kind.name))],
  };
  for (const name of ['columns', 'rows', 'patchMicrometers', 'blockPatches'] as const) {
    if (!(Number.isSafeInteger(settings[name]) && settings[name] > 0)) {
      throw new RangeError(`${name} must be a whole number above 0; got ${settings[name]}`);
    }
  }
  if (!(settings.umPerPixel >= 0.2 && settings.umPerPixel <= 2)) {
    throw new RangeError(`umPerPixel must be between 0.2 and 2; got ${settings.umPerPixel}`);
  }
  settings.kinds.forEach(tissueKind);
  if (settings.kinds.length === 0) throw new RangeError('a synthetic slide needs at least one tissue kind');
  if (new Set(settings.kinds).size < settings.kinds.length) {
    throw new RangeError(`a tissue kind is named twice: ${settings.kinds.join(', ')}`);
  }
  const sides = [settings.columns, settings.rows].map(
    (count) => (count * settings.patchMicrometers + 2 * marginMicrometers) / settings.umPerPixel,
  );
  if (sides[0]! * sides[1]! > mostPixels) {
    throw new RangeError(
      `a synthetic slide of ${settings.columns} x ${settings.rows} patches would have ` +
        `${Math.round((sides[0]! * sides[1]!) / 1e6)} megapixels; the most is ${mostPixels / 1e6}`,
    );
  }
  return settings;
}

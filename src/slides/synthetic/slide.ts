import { setImmediate } from 'node:timers/promises';
import sharp from 'sharp';
import { type Key, key as keyOf, sha256, throwIfInterrupted, writeFileAtomic } from '../../runs/index.js';
import { type TissueKind, tissueKind, tissueKinds } from './kinds/index.js';
import { labelMap, marginMicrometers, planLayout } from './layout.js';
import { Grain } from './noise.js';
import { paintTissue } from './paint-tissue.js';
import type { TissueStyle } from './plan.js';
import { colorTable, drawStain, type SlideStain } from './stains.js';
import { withImageDescription } from './tiff-description.js';
import { drawUptake, uptakeStep } from './uptake.js';

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
  const width = Math.round(layout.widthMicrometers / umPerPixel);
  const height = Math.round(layout.heightMicrometers / umPerPixel);
  const random = key.fold('slide').generator();
  const stain = drawStain(random);
  const style: TissueStyle = { scale: random.between(0.88, 1.14), nucleusDiameter: random.between(6.3, 7.5) };
  const colors = colorTable(stain);
  const pixels: Uint8Array = Buffer.alloc(width * height * 3, colors.subarray(0, 3));
  const { widthMicrometers, heightMicrometers } = layout;
  const hematoxylinUptake = drawUptake(widthMicrometers, heightMicrometers, key.fold('hematoxylin').generator());
  const eosinUptake = drawUptake(widthMicrometers, heightMicrometers, key.fold('eosin').generator());
  for (const [index, block] of layout.blocks.entries()) {
    throwIfInterrupted(signal, 'drawing a synthetic slide');
    drawBlock(index, kinds[block.kind]!);
    await setImmediate();
  }
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

  function drawBlock(index: number, kind: TissueKind): void {
    const block = layout.blocks[index]!;
    const left = Math.floor(block.left / umPerPixel);
    const top = Math.floor(block.top / umPerPixel);
    const blockWidth = Math.ceil(block.right / umPerPixel) - left;
    const blockHeight = Math.ceil(block.bottom / umPerPixel) - top;
    const paint = key.fold('block').fold(index).generator();
    const size = { width: blockWidth, height: blockHeight, umPerPixel };
    const painting = paintTissue(kind, size, style, grain(), paint);
    const lastColumn = layout.widthMicrometers - 1;
    const micrometers = Int32Array.from({ length: blockWidth }, (_, column) =>
      Math.min(lastColumn, Math.floor((left + column) * umPerPixel)),
    );
    for (let row = 0; row < blockHeight; row++) {
      const y = Math.min(layout.heightMicrometers - 1, Math.floor((top + row) * umPerPixel));
      const planeRow = y * layout.widthMicrometers;
      const uptakeRow = Math.floor(y / uptakeStep) * hematoxylinUptake.columns;
      let at = row * blockWidth;
      let pixel = 3 * ((top + row) * width + left);
      for (let column = 0; column < blockWidth; column++, at++, pixel += 3) {
        const x = micrometers[column]!;
        if (layout.plane[planeRow + x] !== index) continue;
        const place = uptakeRow + Math.floor(x / uptakeStep);
        const hematoxylin = Math.min(255, Math.round(painting.hematoxylin[at]! * hematoxylinUptake.values[place]!));
        const eosin = Math.min(255, Math.round(painting.eosin[at]! * eosinUptake.values[place]!));
        const color = 3 * (256 * hematoxylin + eosin);
        pixels[pixel] = colors[color]!;
        pixels[pixel + 1] = colors[color + 1]!;
        pixels[pixel + 2] = colors[color + 2]!;
      }
    }
  }
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
  const pixelsPerMillimeter = 1000 / record.umPerPixel;
  const tiff = await sharp(pixels, { raw: { width, height, channels: 3 }, limitInputPixels: false })
    .tiff({
      compression: 'jpeg',
      quality: 80,
      pyramid: true,
      tile: true,
      tileWidth: 256,
      tileHeight: 256,
      xres: pixelsPerMillimeter,
      yres: pixelsPerMillimeter,
      resolutionUnit: 'cm',
    })
    .toBuffer();
  const file = withImageDescription(tiff, describe(record));
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

let sharedGrain: Grain | undefined;

/** The grain is the same for every slide: only where it is laid differs. */
function grain(): Grain {
  sharedGrain ??= new Grain(keyOf('synthetic grain').generator());
  return sharedGrain;
}

import { stat } from 'node:fs/promises';
import { digestOfFile, type Key, key as keyOf, sha256, writeFileAtomic } from '../../base/index.js';
import { writeLabelTiff } from '../labels/label-tiff.js';
import { asapXml, geoJson, type SlideAnnotation } from './annotation-files.js';
import { drawLayout } from './draw-layout.js';
import { tissueKind } from './kinds/index.js';
import { type Scanner, scannedColors } from './scanner.js';
import { planSection, type SectionTissue } from './section-layout.js';
import { slideTiff } from './slide-tiff.js';
import type { SlideStain } from './stains.js';

/** Raised whenever the same section would give other pixels. */
export const syntheticGeneratorVersion = 1;

/** A section as it is to be drawn: tissue, stain and scanner. */
export interface SyntheticSection {
  tissue: SectionTissue;
  stain: SlideStain;
  scanner: Scanner;
}

/** Where the files of a section go; those that are not named are not written. */
export interface SectionFiles {
  slide: string;
  mask?: string;
  /** ASAP XML. */
  annotation?: string;
  geojson?: string;
}

export interface DrawnSection {
  /** RGB, `[height, width, 3]`, before blur and compression. */
  pixels: Uint8Array;
  /** `[height, width]`; 0 on glass. */
  mask: Uint8Array;
  width: number;
  height: number;
  /** Level-0 px. */
  annotations: readonly SlideAnnotation[];
}

/** A file that was written: its size and the SHA-256 of its bytes. */
export interface WrittenFile {
  bytes: number;
  sha256: string;
}

/**
 * Draws a section. The same section gives the same bytes.
 *
 * @throws RangeError for one that cannot be drawn; InterruptedError when `signal` aborts
 */
export async function renderSection(
  { tissue, stain, scanner }: SyntheticSection,
  signal?: AbortSignal,
): Promise<DrawnSection> {
  const key = keyOf(tissue.seed);
  const layout = planSection(tissue, key.fold('layout'));
  const kinds = [tissue.kind, ...tissue.lesions.map(({ kind }) => kind)].map(tissueKind);
  const { umPerPixel } = scanner;
  const drawn = await drawLayout(
    layout,
    {
      kinds,
      umPerPixel,
      style: drawStyle(keyOf(tissue.patientSeed)),
      colors: scannedColors(stain, scanner),
      maskValues: [tissue, ...tissue.lesions].map(({ mask }) => mask),
    },
    key,
    signal,
  );
  const annotations = layout.annotations.map(({ group, points }) => ({
    group,
    points: points.map(([x, y]) => [onGrid(x / umPerPixel), onGrid(y / umPerPixel)] as const),
  }));
  return { ...drawn, annotations };
}

/** A patient's tissue departs from the mean in the size of its structures and nuclei. */
function drawStyle(key: Key) {
  const random = key.fold('style').generator();
  return { scale: random.between(0.9, 1.12), nucleusDiameter: random.between(6.4, 7.4) };
}

/** Annotation programs keep a hundredth of a pixel. */
function onGrid(value: number): number {
  return Math.round(100 * value) / 100;
}

/** Draws a section and writes its files, each whole or not at all. */
export async function writeSection(
  section: SyntheticSection,
  files: SectionFiles,
  signal?: AbortSignal,
): Promise<{ [File in keyof SectionFiles]: WrittenFile }> {
  const drawn = await renderSection(section, signal);
  const { umPerPixel, jpegQuality, blurPixels } = section.scanner;
  const slide = await slideTiff(drawn, { umPerPixel, jpegQuality, blurPixels, description: describe(section, 'H&E') });
  const contents: { [File in keyof SectionFiles]: Buffer | string } = { slide };
  if (files.annotation) contents.annotation = asapXml(drawn.annotations);
  if (files.geojson) contents.geojson = geoJson(drawn.annotations);
  const written: Record<string, WrittenFile> = {};
  for (const [name, content] of Object.entries(contents)) {
    await writeFileAtomic(files[name as keyof SectionFiles]!, content);
    written[name] = { bytes: Buffer.byteLength(content), sha256: sha256(content) };
  }
  if (files.mask) {
    const { mask, width, height } = drawn;
    const description = describe(section, 'mask');
    await writeLabelTiff(files.mask, mask, { width, height, umPerPixel, description, red: true });
    written.mask = { bytes: (await stat(files.mask)).size, sha256: await digestOfFile(files.mask) };
  }
  return written as { slide: WrittenFile };
}

function describe({ tissue, scanner }: SyntheticSection, what: string): string {
  const kinds = [...new Set([tissue.kind, ...tissue.lesions.map(({ kind }) => kind)])];
  return (
    `SYNTHETIC ${what}, drawn by pathlab (generator ${syntheticGeneratorVersion}, seed ${tissue.seed}); ` +
    `not from a patient. Kinds: ${kinds.join(', ')}. MPP = ${scanner.umPerPixel}`
  );
}

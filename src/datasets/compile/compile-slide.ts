import { basename } from 'node:path';
import { key, removeUnfinished } from '../../base/index.js';
import {
  encodePatches,
  focusMap,
  type Magnification,
  openSlide,
  type PatchIndex,
  patchGrid,
  type RejectionReason,
  type Resampling,
  rejectionReasons,
  type Slide,
  type TissueMask,
  tissueMask,
} from '../../slides/index.js';
import type { LabelRule } from '../definition.js';
import { jpegQuality, ShardWriter } from '../shards/index.js';
import type { DatasetSlide } from '../slide-source.js';
import type { CutSettings } from './dataset.js';
import { openPatchLabels, type PatchLabels } from './patch-labels.js';

/** Facts of a slide, stored at the end of its shard. */
export interface SlideFacts {
  slide: string;
  class: string | null;
  patient: string | null;
  site: string | null;
  synthetic: boolean;
  licence: string;
  origin: string;
  /** Of the slide's file. */
  bytes: number;
  fingerprint: string;
  vendor: string;
  /** Level-0 px. */
  width: number;
  height: number;
  magnification: Magnification;
  level: number;
  resampling: Resampling;
  tissueMethod: string;
  patches: number;
  /** Grid places within the limits; more than the patches if only some were drawn. */
  passed: number;
  /** Rejected places, by the first limit that each failed. */
  rejected: Readonly<Record<RejectionReason, number>>;
  /** Ignored annotations: points, lines, areas of fewer than three corners, and those without geometry. */
  withoutArea: number;
  /** Whether blurred patches were excluded; not for a slide with pixels above 2 um. */
  isSharpnessJudged: boolean;
}

export interface CutJob {
  settings: CutSettings;
  labels: LabelRule;
  /** Hash of all inputs of the shard. */
  inputHash: string;
  signal: AbortSignal | undefined;
}

/**
 * Cuts one slide into one shard. The shard's bytes depend only on the slide and the settings.
 *
 * @param path of the shard
 * @throws Error with the reason of a failure; InterruptedError when `signal` aborts. No file is left
 */
export async function compileSlide(
  path: string,
  record: DatasetSlide & { bytes: number; fingerprint: string },
  { settings, labels: rule, inputHash, signal }: CutJob,
): Promise<void> {
  await removeUnfinished(path);
  const slide = await openSlide(record.path, { mpp: record.mpp, mppFrom: record.mppFrom });
  let writer: ShardWriter | undefined;
  let labels: PatchLabels | undefined;
  try {
    const { mask, index } = await placePatches(slide, record.id, settings, signal);
    const patches = index.x.length;
    if (patches === 0) {
      const { disagreement } = slide.magnification;
      throw new Error(
        `${record.path} has no usable patch: ${whyNone(index)}${disagreement ? `. ${doubtIn(disagreement, record)}` : ''}`,
      );
    }
    labels = await openPatchLabels(rule, record, slide, index);
    writer = await ShardWriter.create(path, record.id, inputHash);
    // Encoded by the reader processes, in the grid's order.
    for await (const { patch, data } of encodePatches(slide, index, { quality: jpegQuality, signal })) {
      const label = await labels.of(patch);
      await writer.append({
        image: data,
        mask: label.mask,
        facts: {
          class: label.class,
          patient: record.patient,
          site: record.site,
          x: index.x[patch]!,
          y: index.y[patch]!,
          scores: { ...scoresOf(index, patch), ...label.shares },
          synthetic: record.synthetic,
          ...(record.split !== undefined && { split: record.split }),
        },
      });
    }
    await writer.finish(slideFacts(record, slide, { patches, index, tissueMethod: mask.method, labels }));
  } catch (error) {
    await writer?.abandon();
    throw error;
  } finally {
    await labels?.close();
    await slide.close();
  }
}

/** Sharpness is measured on pixels of this size, um; not for slides with larger pixels. */
const focusPixel = 2;

/** Where a slide's patches are cut; `id` is the slide's, which together with the seed decides the draw. */
export async function placePatches(
  slide: Slide,
  id: string,
  settings: CutSettings,
  signal?: AbortSignal,
): Promise<{ mask: TissueMask; index: PatchIndex }> {
  const mask = await tissueMask(slide);
  const { limits } = settings;
  const isFine = slide.mpp <= focusPixel;
  const index = patchGrid(slide, mask, {
    geometry: settings.geometry,
    ...(isFine ? limits : { ...limits, minimumSharpness: 0 }),
    maxPatches: settings.maxPatchesPerSlide ?? undefined,
    key: key(settings.seed).fold(id),
    focus: isFine ? await focusMap(slide, mask, { umPerPixel: focusPixel, signal }) : undefined,
  });
  return { mask, index };
}

function slideFacts(
  record: DatasetSlide & { bytes: number; fingerprint: string },
  slide: Slide,
  {
    patches,
    index,
    tissueMethod,
    labels,
  }: { patches: number; index: PatchIndex; tissueMethod: string; labels: PatchLabels },
): SlideFacts {
  return {
    slide: record.id,
    class: record.class,
    patient: record.patient,
    site: record.site,
    synthetic: record.synthetic,
    licence: record.licence,
    origin: record.origin,
    bytes: record.bytes,
    fingerprint: record.fingerprint,
    vendor: slide.vendor,
    width: slide.width,
    height: slide.height,
    magnification: withoutFolder(slide.magnification, record.path),
    level: index.level,
    resampling: index.resampling,
    tissueMethod,
    patches,
    passed: index.passed,
    rejected: rejections(index),
    withoutArea: labels.withoutArea,
    isSharpnessJudged: slide.mpp <= focusPixel,
  };
}

/** The report travels with the shards, and this machine's folders are nobody's business. */
function withoutFolder(magnification: Magnification, path: string): Magnification {
  const { disagreement } = magnification;
  return disagreement === undefined
    ? magnification
    : { ...magnification, disagreement: disagreement.replaceAll(path, basename(path)) };
}

function rejections({ rejected }: PatchIndex): Record<RejectionReason, number> {
  const counts = Object.fromEntries(rejectionReasons.map((reason) => [reason, 0])) as Record<RejectionReason, number>;
  for (const reason of rejected.reason) counts[reason]++;
  return counts;
}

function whyNone(index: PatchIndex): string {
  const places = index.rejected.x.length;
  const { micrometers } = index.geometry;
  if (places === 0) return `it is smaller than one patch of ${micrometers} um`;
  const reasons = Object.entries(rejections(index)).filter(([, count]) => count > 0);
  return (
    `of ${places} places of ${micrometers} um none passes the limits ` +
    `(${reasons.map(([reason, count]) => `${reason}: ${count}`).join(', ')})`
  );
}

/** What a user can do about an uncertain pixel size. */
function doubtIn(disagreement: string, { mpp, mppFrom }: DatasetSlide): string {
  const remedy =
    mpp === undefined
      ? 'if the file is wrong, give the correct size in a column mpp of the table, with "pixelSize": "table" in the definition'
      : mppFrom === undefined
        ? 'if the table is right, say so with "pixelSize": "table" in the definition\'s source'
        : "the table's value is used: check it";
  return `The pixel size is uncertain (${disagreement}), and so is the patch size: ${remedy}`;
}

/** Without scores that were not measured, since JSON has no NaN. */
function scoresOf(index: PatchIndex, patch: number): Record<string, number> {
  const measured = Object.entries(index.scores).map(([name, values]) => [name, values[patch] as number] as const);
  return Object.fromEntries(measured.filter(([, value]) => Number.isFinite(value)));
}

import { readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import sharp from 'sharp';
import { throwIfInterrupted } from '../../runs/index.js';
import {
  type Magnification,
  openSlide,
  patchGrid,
  type Resampling,
  type RgbImage,
  type Slide,
  tissueMask,
} from '../../slides/index.js';
import { labelOfPatch } from '../labels.js';
import { type ShardPatch, ShardWriter } from '../shards/index.js';
import type { DatasetSlide } from '../slide-source.js';
import { type CutSettings, jpegQuality } from './dataset.js';
import { inOrder } from './in-order.js';

/** What is known of a slide as a whole; it stands at the end of its shard. */
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
  /** Places of the grid that were not kept. */
  rejected: number;
}

/** Patches of one slide that are read and encoded at a time. */
const patchesInFlight = 4;

/**
 * Cuts one slide into one shard. The shard's bytes depend on the slide and the settings alone.
 *
 * @param path of the shard
 * @param made hash of all that decides it
 * @throws Error with the reason why the slide gives no shard; InterruptedError when `signal` aborts. Nothing is left
 */
export async function compileSlide(
  path: string,
  record: DatasetSlide & { bytes: number; fingerprint: string },
  { settings, made, signal }: { settings: CutSettings; made: string; signal: AbortSignal | undefined },
): Promise<void> {
  if (record.mask || record.annotation) {
    throw new Error(`${record.id} has a mask or polygons, which this version does not cut`);
  }
  await removeUnfinished(path);
  const slide = await openSlide(record.path, { mpp: record.mpp });
  let writer: ShardWriter | undefined;
  try {
    const mask = await tissueMask(slide);
    const index = patchGrid(slide, mask, settings);
    const patches = index.x.length;
    if (patches === 0) {
      throw new Error(
        `${record.path} gives no patch: of ${index.rejected.x.length} places of ${settings.geometry.micrometers} um ` +
          `none is ${100 * settings.minimumTissue} % tissue`,
      );
    }
    writer = await ShardWriter.create(path, record.id, made);
    const size = settings.geometry.pixels;
    const mpp = settings.geometry.micrometers / size;
    const cut = async (patch: number): Promise<ShardPatch> => {
      throwIfInterrupted(signal, `compiling ${record.id}`);
      const [x, y] = [index.x[patch]!, index.y[patch]!];
      const picture = await slide.readAt({ x, y, width: size, height: size, mpp });
      const drawn = record.record ? labelOfPatch(record.record, { x, y, side: index.side }) : undefined;
      return {
        image: await encodeJpeg(picture),
        facts: {
          class: record.class ?? drawn ?? null,
          patient: record.patient,
          site: record.site,
          x,
          y,
          scores: { tissue: index.tissue[patch]! },
          synthetic: record.synthetic,
        },
      };
    };
    await inOrder(patches, patchesInFlight, cut, (patch) => writer!.append(patch));
    await writer.finish(slideFacts(record, slide, { patches, index, tissueMethod: mask.method }));
  } catch (error) {
    await writer?.abandon();
    throw error;
  } finally {
    await slide.close();
  }
}

function slideFacts(
  record: DatasetSlide & { bytes: number; fingerprint: string },
  slide: Slide,
  { patches, index, tissueMethod }: { patches: number; index: ReturnType<typeof patchGrid>; tissueMethod: string },
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
    magnification: slide.magnification,
    level: index.level,
    resampling: index.resampling,
    tissueMethod,
    patches,
    rejected: index.rejected.x.length,
  };
}

/** As the shards hold images: quality 90, no chroma subsampling. */
export async function encodeJpeg({ pixels, width, height }: RgbImage): Promise<Buffer> {
  return sharp(pixels, { raw: { width, height, channels: 3 } })
    .jpeg({ quality: jpegQuality, chromaSubsampling: '4:4:4' })
    .toBuffer();
}

/** What a killed process left of this shard. Only the owner of the slide's claim comes here. */
async function removeUnfinished(path: string): Promise<void> {
  const folder = dirname(path);
  const prefix = `${basename(path)}.`;
  for (const name of await readdir(folder)) {
    if (name.startsWith(prefix) && name.endsWith('.partial')) await rm(join(folder, name), { force: true });
  }
}

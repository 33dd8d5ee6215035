import { basename } from 'node:path';
import sharp from 'sharp';
import { removeUnfinished, sha256, throwIfInterrupted } from '../../base/index.js';
import type { LabelRule } from '../definition.js';
import { ShardWriter } from '../shards/index.js';
import type { DatasetSlide } from '../slide-source.js';
import { majority, maskNumbers, type PatchLabel, unknownValue } from './patch-labels.js';
import {
  PatchFault,
  type PrecutMask,
  precutImages,
  precutMasks,
  sideOf,
  valuesOf,
  type WholeImage,
  wholeImages,
} from './precut-image.js';
import type { SlideFailure } from './report.js';
import { type Tile, type TileSettings, tilesOf } from './tiles.js';

/** Patches of one shard. */
export interface PrecutGroup {
  /** Names the shard. */
  id: string;
  patches: readonly DatasetSlide[];
}

/** The facts at the end of a shard of precut patches. */
export interface PrecutFacts {
  slide: string;
  patient: null;
  site: null;
  synthetic: boolean;
  /** Numbers of copied and of re-encoded images. */
  copied: number;
  encoded: number;
  failed: readonly SlideFailure[];
}

const patchesOfShard = 500;

/**
 * Assigns patches to shards of about 500 by a hash of the id, so that classes and patients are mixed in each, and
 * adding or removing a patch changes one shard only.
 */
export function precutGroups(patches: readonly DatasetSlide[], maxPatches = patchesOfShard): PrecutGroup[] {
  const count = Math.ceil(patches.length / maxPatches);
  const groups = new Map<number, DatasetSlide[]>();
  for (const patch of [...patches].sort((one, other) => (one.id < other.id ? -1 : 1))) {
    const group = Number.parseInt(sha256(patch.id).slice(0, 8), 16) % count;
    if (!groups.has(group)) groups.set(group, []);
    groups.get(group)!.push(patch);
  }
  const name = (group: number) => `patches-${String(group + 1).padStart(5, '0')}-of-${String(count).padStart(5, '0')}`;
  return [...groups]
    .sort(([one], [other]) => one - other)
    .map(([group, members]) => ({ id: name(group), patches: members }));
}

/** Default size of all patches: that of the first valid one, by id. */
export async function commonSide(patches: readonly DatasetSlide[]): Promise<number> {
  let fault: unknown;
  for (const { path } of [...patches].sort((one, other) => (one.id < other.id ? -1 : 1))) {
    try {
      return await sideOf(path);
    } catch (error) {
      if (!(error instanceof PatchFault)) throw error;
      fault ??= error;
    }
  }
  throw new Error(`none of the ${patches.length} patches can be read: ${(fault as Error).message}`);
}

/**
 * Writes one shard of precut patches. An invalid patch is excluded, with its reason in the shard's facts.
 *
 * @param path of the shard
 * @param job.pixels image size, px
 * @param job.mayResize whether images of another size are resized
 * @param job.tiles how images are cut into patches; undefined: each is one
 * @param job.lossless whether images are kept as PNG
 * @returns the patches that failed
 * @throws InterruptedError when `signal` aborts; system errors. Nothing is left
 */
export async function compilePatches(
  path: string,
  { id, patches }: PrecutGroup,
  job: {
    pixels: number;
    mayResize: boolean;
    tiles?: TileSettings;
    lossless: boolean;
    labels: LabelRule;
    inputHash: string;
    signal: AbortSignal | undefined;
  },
): Promise<readonly SlideFailure[]> {
  const { pixels, tiles, lossless, labels, inputHash, signal } = job;
  await removeUnfinished(path);
  const writer = await ShardWriter.create(path, id, inputHash);
  const fromMasks = labels.from === 'mask';
  const images = tiles ? wholeImages(pathsOf(patches), signal) : precutImages(pathsOf(patches), job);
  const masks = precutMasks(fromMasks ? masksOf(patches) : [], signal);
  try {
    const counts = { copied: 0, encoded: 0 };
    const failed: SlideFailure[] = [];
    for (const patch of patches) {
      throwIfInterrupted(signal, `compiling ${id}`);
      try {
        // Each patch consumes its entry of both lists, even if it fails.
        const image = (await images.next()).value!;
        const mask = fromMasks && patch.mask !== null ? (await masks.next()).value! : undefined;
        if (image instanceof PatchFault) throw image;
        const { patient, site, synthetic } = patch;
        const append = (encoded: Uint8Array, label: PatchLabel, place: { x: number; y: number }) =>
          writer.append({
            image: encoded,
            mask: label.mask,
            facts: {
              class: label.class,
              ...{ patient, site, synthetic, scores: label.shares },
              ...{ slide: patch.id, ...place },
              ...(patch.split !== undefined && { split: patch.split }),
            },
          });
        if ('image' in image) {
          const label = await labelOf(patch, labels, mask, { side: image.side, pixels });
          counts[image.copied ? 'copied' : 'encoded']++;
          await append(image.image, label, { x: 0, y: 0 });
          continue;
        }
        // All tiles are cut before the first is written, so that a failed image leaves none.
        const cut: [Tile, PatchLabel][] = [];
        for await (const tile of tilesOf(image, fittingMask(patch, image, mask), { ...tiles!, lossless })) {
          const own = tile.values && { values: tile.values, width: pixels, height: pixels };
          cut.push([tile, await labelOf(patch, labels, own, { side: pixels, pixels })]);
        }
        if (cut.length === 0 && tiles!.minimumTissue === undefined) {
          throw new PatchFault(
            `${basename(patch.path)} is ${image.width} x ${image.height} px, smaller than a tile of ${pixels} px`,
          );
        }
        for (const [tile, label] of cut) await append(tile.image, label, tile);
        counts.encoded += cut.length;
      } catch (error) {
        if (!(error instanceof PatchFault)) throw error;
        failed.push({ slide: patch.id, reason: error.message });
      }
    }
    const facts: PrecutFacts = {
      slide: id,
      patient: null,
      site: null,
      synthetic: patches.every(({ synthetic }) => synthetic),
      ...counts,
      failed,
    };
    await writer.finish(facts);
    return failed;
  } catch (error) {
    await writer.abandon();
    throw error;
  } finally {
    await images.return();
    await masks.return();
  }
}

/** The mask of an image to cut into patches. */
function fittingMask(
  patch: DatasetSlide,
  { width, height }: WholeImage,
  mask: PrecutMask | PatchFault | undefined,
): PrecutMask | undefined {
  if (!mask) return undefined;
  if (mask instanceof PatchFault) throw mask;
  if (mask.width === width && mask.height === height) return mask;
  throw new PatchFault(
    `its mask ${basename(patch.mask!)} is ${mask.width} x ${mask.height} px and the image ${width} x ${height} px`,
  );
}

function pathsOf(patches: readonly DatasetSlide[]): string[] {
  return patches.map(({ path }) => path);
}

function masksOf(patches: readonly DatasetSlide[]): string[] {
  return patches.flatMap(({ mask }) => (mask === null ? [] : [mask]));
}

async function labelOf(
  patch: DatasetSlide,
  rule: LabelRule,
  mask: PrecutMask | PatchFault | undefined,
  { side, pixels }: { side: number; pixels: number },
): Promise<PatchLabel> {
  if (rule.from !== 'mask') return { class: patch.class, shares: {} };
  if (!mask) throw new PatchFault(`${basename(patch.path)} has no mask, and the definition takes labels from masks`);
  const numbers = maskNumbers(rule, patch);
  if (mask instanceof PatchFault) throw mask;
  const labels = valuesOf(patch.mask!, mask, side, pixels).map((value) => {
    if (numbers[value]! >= 0) return numbers[value]!;
    throw new PatchFault(`its mask ${basename(patch.mask!)} holds the value ${value}, ${unknownValue}`);
  });
  const encoded = await sharp(labels, { raw: { width: pixels, height: pixels, channels: 1 } })
    .toColorspace('b-w')
    .png()
    .toBuffer();
  return { ...majority(rule.classes, labels), mask: encoded };
}

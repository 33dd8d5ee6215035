import { type ColumnTable, table } from 'arquero';
import type { Magnification, Resampling } from '../slides/index.js';
import type { SlideSource } from './slide-source.js';

/** Patches of several slides in memory, all of one size. Row `i` of every list belongs to patch `i`. */
export interface PatchSet {
  /** RGB, 0 to 255, `[count, size, size, 3]`. */
  images: Uint8Array;
  count: number;
  /** Side of an image, px. */
  size: number;
  /** Size of an image's pixel, um. */
  mpp: number;
  /** Side of the area that an image shows, um. */
  micrometers: number;
  /** Class of each patch, a place in `classNames`; -1 where it is unknown or the patch holds more than one. */
  labels: Int32Array;
  classNames: readonly string[];
  /** Id of the slide that each patch is from. */
  slides: readonly string[];
  /** Top left corner of each patch on its slide, level-0 px. */
  x: Int32Array;
  y: Int32Array;
  /** Share of each patch that is tissue. */
  tissue: Float32Array;
  /** Whether each patch was drawn and is not from a patient. */
  synthetic: readonly boolean[];
  /** What is known of each slide, in the order in which they were read. */
  sources: readonly PatchSource[];
}

/** A slide as it went into a patch set. */
export interface PatchSource extends Omit<SlideSource, 'record' | 'mpp'> {
  vendor: string;
  /** Size of the slide, level-0 px. */
  width: number;
  height: number;
  magnification: Magnification;
  patches: number;
  /** What cutting the patches at the geometry's own pixel size does to the slide's pixels. */
  atGeometry: Resampling;
  /** What was done to the pixels that are in the set. */
  resampling: Resampling;
  /** How tissue was told from glass. */
  tissueMethod: string;
}

/** The images of some patches, one after the other: `[indices.length, size, size, 3]`. */
export function gatherImages(set: Pick<PatchSet, 'images' | 'count' | 'size'>, indices: ArrayLike<number>): Uint8Array {
  const bytes = set.size * set.size * 3;
  const gathered = new Uint8Array(indices.length * bytes);
  for (let row = 0; row < indices.length; row++) {
    const patch = indices[row]!;
    if (!(Number.isInteger(patch) && patch >= 0 && patch < set.count)) {
      throw new RangeError(`there is no patch ${patch}: the set has ${set.count}`);
    }
    gathered.set(set.images.subarray(patch * bytes, (patch + 1) * bytes), row * bytes);
  }
  return gathered;
}

/** A set of some patches of a set, in the order given. */
export function selectPatches(set: PatchSet, indices: ArrayLike<number>): PatchSet {
  const order = Array.from(indices);
  const kept = new Set(order.map((patch) => set.slides[patch]!));
  return {
    ...set,
    images: gatherImages(set, order),
    count: order.length,
    labels: Int32Array.from(order, (patch) => set.labels[patch]!),
    slides: order.map((patch) => set.slides[patch]!),
    x: Int32Array.from(order, (patch) => set.x[patch]!),
    y: Int32Array.from(order, (patch) => set.y[patch]!),
    tissue: Float32Array.from(order, (patch) => set.tissue[patch]!),
    synthetic: order.map((patch) => set.synthetic[patch]!),
    sources: set.sources
      .filter((source) => kept.has(source.id))
      .map((source) => ({ ...source, patches: order.filter((patch) => set.slides[patch] === source.id).length })),
  };
}

/**
 * The patch index as a table, a row a patch: slide, x, y (level-0 px), tissue, class ("unlabelled" where unknown),
 * synthetic, slideMpp and mpp (um/px), resampled (upsampled, downsampled or none) and factor.
 */
export function patchTable(set: PatchSet): ColumnTable {
  const sources = new Map(set.sources.map((source) => [source.id, source]));
  const itsSource = set.slides.map((id) => sources.get(id)!);
  return table({
    slide: [...set.slides],
    x: Array.from(set.x),
    y: Array.from(set.y),
    tissue: Array.from(set.tissue),
    class: Array.from(set.labels, (label) => set.classNames[label] ?? 'unlabelled'),
    synthetic: [...set.synthetic],
    slideMpp: itsSource.map((source) => source.magnification.mpp),
    mpp: itsSource.map(() => set.mpp),
    resampled: itsSource.map((source) => source.resampling.direction),
    factor: itsSource.map((source) => source.resampling.factor),
  });
}

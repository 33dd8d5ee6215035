import { throwIfInterrupted } from '../runs/index.js';
import {
  openSlide,
  type PatchGeometry,
  type PatchImages,
  type PatchIndex,
  paperGeometry,
  patchGrid,
  readPatches,
  tissueMask,
} from '../slides/index.js';
import { labelOfPatch } from './labels.js';
import type { PatchSet, PatchSource } from './patch-set.js';
import type { SlideSource } from './slide-source.js';

export interface LoadPatchSetOptions {
  /** What a patch is; by default the paper's, 200 um at 512 px. */
  geometry?: PatchGeometry;
  /** Side of the images, px; by default the geometry's. */
  size?: number;
  /** Share of a patch that must be tissue. */
  minimumTissue?: number;
  /** Called after each slide. */
  onProgress?: (done: number, total: number) => void;
  signal?: AbortSignal;
}

/** Above this patches do not belong in memory. */
const mostBytes = 2 ** 32;

/**
 * Cuts patches from slides, real and synthetic, into one set in memory.
 *
 * @throws Error when two slides have one id, a slide gives no patch, or the set would not fit in memory;
 *   InterruptedError when `signal` aborts
 */
export async function loadPatchSet(
  sources: readonly SlideSource[],
  options: LoadPatchSetOptions = {},
): Promise<PatchSet> {
  if (sources.length === 0) throw new RangeError('a patch set needs at least one slide');
  const twice = sources.find((source, index) => sources.findIndex((other) => other.id === source.id) !== index);
  if (twice) throw new RangeError(`two slides are called "${twice.id}"`);
  const geometry = options.geometry ?? paperGeometry;
  const size = options.size ?? geometry.pixels;
  const classNames = [...new Set(sources.flatMap((source) => source.record?.kinds ?? []))];
  const cuts: Cut[] = [];
  let bytes = 0;
  for (const source of sources) {
    throwIfInterrupted(options.signal, 'cutting patches');
    const cut = await cutSlide(source, { ...options, geometry, size, mostBytes: mostBytes - bytes });
    bytes += cut.read.images.length;
    cuts.push(cut);
    options.onProgress?.(cuts.length, sources.length);
  }
  return join(cuts, { size, micrometers: geometry.micrometers, classNames });
}

/** The patches of one slide. */
interface Cut {
  source: SlideSource;
  facts: PatchSource;
  index: PatchIndex;
  read: PatchImages;
}

async function cutSlide(
  source: SlideSource,
  options: LoadPatchSetOptions & { geometry: PatchGeometry; size: number; mostBytes: number },
): Promise<Cut> {
  const slide = await openSlide(source.path, { mpp: source.mpp });
  try {
    const mask = await tissueMask(slide);
    const index = patchGrid(slide, mask, options);
    const patches = index.x.length;
    if (patches === 0) {
      const places = index.rejected.x.length;
      throw new Error(
        `${source.path} gives no patch: of ${places} places of ${index.geometry.micrometers} um none is ` +
          `${100 * index.minimumTissue} % tissue; take smaller patches or a lower minimumTissue`,
      );
    }
    if (patches * options.size ** 2 * 3 > options.mostBytes) {
      throw new RangeError(`the patches do not fit in ${mostBytes / 2 ** 30} GiB; take fewer slides or a smaller size`);
    }
    const read = await readPatches(slide, index, { size: options.size, signal: options.signal });
    const { record: _, mpp: __, ...known } = source;
    const facts: PatchSource = {
      ...known,
      vendor: slide.vendor,
      width: slide.width,
      height: slide.height,
      magnification: slide.magnification,
      patches,
      atGeometry: index.resampling,
      resampling: read.resampling,
      tissueMethod: mask.method,
    };
    return { source, facts, index, read };
  } finally {
    await slide.close();
  }
}

function join(
  cuts: readonly Cut[],
  { size, micrometers, classNames }: { size: number; micrometers: number; classNames: readonly string[] },
): PatchSet {
  const count = cuts.reduce((sum, cut) => sum + cut.read.count, 0);
  const set = {
    images: new Uint8Array(count * size * size * 3),
    count,
    size,
    mpp: micrometers / size,
    micrometers,
    labels: new Int32Array(count),
    classNames,
    slides: cuts.flatMap((cut) => new Array<string>(cut.read.count).fill(cut.source.id)),
    x: new Int32Array(count),
    y: new Int32Array(count),
    tissue: new Float32Array(count),
    synthetic: cuts.flatMap((cut) => new Array<boolean>(cut.read.count).fill(cut.source.synthetic)),
    sources: cuts.map((cut) => cut.facts),
  };
  let first = 0;
  for (const { source, index, read } of cuts) {
    set.images.set(read.images, first * size * size * 3);
    set.x.set(index.x, first);
    set.y.set(index.y, first);
    set.tissue.set(index.tissue, first);
    for (let patch = 0; patch < read.count; patch++) {
      const place = { x: index.x[patch]!, y: index.y[patch]!, side: index.side };
      const kind = source.record ? labelOfPatch(source.record, place) : undefined;
      set.labels[first + patch] = kind === undefined ? -1 : classNames.indexOf(kind);
    }
    first += read.count;
  }
  return set;
}

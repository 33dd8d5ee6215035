import type { Key } from '../../runs/index.js';
import type { PatchSet } from '../patch-set.js';

/** Patches divided by slide: no slide has patches on both sides. Lists hold places in the patch set. */
export interface SlideSplit {
  trainSlides: readonly string[];
  heldOutSlides: readonly string[];
  /** All patches of the training slides, unlabelled ones among them. */
  train: Int32Array;
  /** The labelled patches of the training slides. */
  trainLabelled: Int32Array;
  /** The labelled patches of the held-out slides. */
  heldOut: Int32Array;
}

/** Draws to choose from; a handful of slides has few good divisions, and these find one. */
const draws = 200;

/**
 * Divides a patch set by slide, so that every class is on both sides and in like proportion. Slides without labels
 * can be learned from but not judged by: they go to the training side.
 *
 * @param options.heldOut share of the labelled slides to hold out, between 0 and 1
 * @throws Error when no division has every class on both sides
 */
export function splitBySlide(set: PatchSet, options: { heldOut: number }, key: Key): SlideSplit {
  if (!(options.heldOut > 0 && options.heldOut < 1)) {
    throw new RangeError(`heldOut is a share between 0 and 1; got ${options.heldOut}`);
  }
  const counts = classCounts(set);
  const labelled = [...counts.keys()].sort();
  const size = Math.min(labelled.length - 1, Math.max(1, Math.round(options.heldOut * labelled.length)));
  if (size < 1) throw new Error(`a split needs two slides with labels; the set has ${labelled.length}`);
  let best: { slides: string[]; unevenness: number } | undefined;
  for (let draw = 0; draw < draws; draw++) {
    const slides = key
      .fold(draw)
      .generator()
      .shuffle([...labelled])
      .slice(0, size);
    const unevenness = unevennessOf(slides, counts, set.classNames.length);
    if (unevenness < (best?.unevenness ?? Infinity)) best = { slides, unevenness };
  }
  if (!best) {
    const rare = set.classNames.filter(
      (_, label) => labelled.filter((slide) => counts.get(slide)![label]! > 0).length < 2,
    );
    throw new Error(
      `no division of ${labelled.length} slides has every class on both sides` +
        (rare.length > 0 ? `; on fewer than two slides: ${rare.join(', ')}` : ''),
    );
  }
  const heldOutSlides = best.slides.sort();
  const isHeldOut = new Set(heldOutSlides);
  const where = (keep: (patch: number) => boolean) =>
    Int32Array.from(Array.from({ length: set.count }, (_, patch) => patch).filter(keep));
  return {
    trainSlides: set.sources.map((source) => source.id).filter((slide) => !isHeldOut.has(slide)),
    heldOutSlides,
    train: where((patch) => !isHeldOut.has(set.slides[patch]!)),
    trainLabelled: where((patch) => !isHeldOut.has(set.slides[patch]!) && set.labels[patch]! >= 0),
    heldOut: where((patch) => isHeldOut.has(set.slides[patch]!) && set.labels[patch]! >= 0),
  };
}

/** Patches of each class on each slide that has labels. */
function classCounts(set: PatchSet): Map<string, Int32Array> {
  const counts = new Map<string, Int32Array>();
  for (let patch = 0; patch < set.count; patch++) {
    const label = set.labels[patch]!;
    if (label < 0) continue;
    const slide = set.slides[patch]!;
    if (!counts.has(slide)) counts.set(slide, new Int32Array(set.classNames.length));
    counts.get(slide)![label]!++;
  }
  return counts;
}

/** Spread between classes of the share that is held out; infinite where a class is missing on a side. */
function unevennessOf(heldOut: readonly string[], counts: Map<string, Int32Array>, classes: number): number {
  const shares = Array.from({ length: classes }, (_, label) => {
    let all = 0;
    for (const perClass of counts.values()) all += perClass[label]!;
    const out = heldOut.reduce((sum, slide) => sum + counts.get(slide)![label]!, 0);
    return out / all;
  });
  if (shares.some((share) => !(share > 0 && share < 1))) return Infinity;
  return Math.max(...shares) - Math.min(...shares);
}

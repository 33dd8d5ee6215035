import { canonicalJson, sha256 } from '../../base/index.js';
import { defaultLimits, type PatchGeometry, type PatchLimits, paperGeometry } from '../../slides/index.js';
import type { DatasetDefinition, SplitRule } from '../definition.js';
import type { LockFile } from '../lock-file.js';
import { definitionSha256, isResolved } from '../read-definition.js';
import { jpegQuality, requireDistinctNames, requireSafeName, shardVersion } from '../shards/index.js';
import type { DatasetSlide } from '../slide-source.js';
import { type TileSettings, tileSettings } from './tiles.js';

/** What is to be compiled: a definition, and the slides that it was resolved to, their files in place. */
export interface SlideDataset {
  definition: DatasetDefinition;
  slides: readonly DatasetSlide[];
  /** What the list leaves out, for report and card; none by default. */
  excluded?: LockFile['excluded'];
  /** Hash of the list (`LockFile.listSha256`), by which what was compiled from it is known again; none by default. */
  listSha256?: string;
}

/** Hash of all that a dataset is compiled from, beside how it is cut; null where the list has no hash. */
export function inputHash({ definition, slides, listSha256 }: SlideDataset): string | null {
  if (listSha256 === undefined) return null;
  const ids = sha256(canonicalJson(slides.map(({ id }) => id).sort()));
  return sha256(canonicalJson({ list: listSha256, definition: definitionSha256(definition), ids }));
}

/** What decides how patches are cut. */
export interface CutSettings {
  geometry: PatchGeometry;
  /** What a place must score to give a patch. */
  limits: PatchLimits;
  /** At most so many patches of a slide, drawn at random; null: all. */
  maxPatchesPerSlide: number | null;
  /** Decides which are drawn. */
  seed: number | string;
}

/** What can be asked for otherwise than the definition says. */
export type CutOptions = Partial<PatchLimits> &
  Partial<Omit<CutSettings, 'limits'>> & {
    /** Of precut patches only: side of the images, px; images of another size are resized. */
    size?: number;
    /** Of images that are to be cut into patches: side of a patch and from one to the next, px, and what becomes of the rest. */
    tile?: number;
    stride?: number;
    edge?: 'shift' | 'drop';
    /** Of precut patches only: shards hold PNG in place of JPEG, so that no value changes. */
    lossless?: boolean;
  };

/** How a user's precut patches become images of one size. */
export interface PrecutSettings {
  /** Side of the images, px; null: as the patches are, which must then be all alike. */
  pixels: number | null;
  /** Only where images are cut into patches. */
  tiles?: TileSettings;
  /** Only where images are kept as PNG. */
  lossless?: true;
}

/** The definition's settings, with what is asked for otherwise. */
export function cutSettings({ geometry: defined }: DatasetDefinition, options: CutOptions): CutSettings {
  const geometry = options.geometry ?? defined ?? paperGeometry;
  const usual = { ...defaultLimits, minimumTissue: defined?.minimumTissue ?? defaultLimits.minimumTissue };
  const limits = Object.fromEntries(
    Object.entries(usual).map(([name, value]) => [name, options[name as keyof PatchLimits] ?? value]),
  ) as unknown as PatchLimits;
  const maxPatchesPerSlide =
    options.maxPatchesPerSlide === undefined ? (defined?.maxPatchesPerSlide ?? null) : options.maxPatchesPerSlide;
  return {
    geometry: { micrometers: geometry.micrometers, pixels: geometry.pixels },
    limits,
    maxPatchesPerSlide,
    seed: options.seed ?? 0,
  };
}

/** @throws RangeError for a size that is none, and for options that only slides have */
export function precutSettings(options: CutOptions): PrecutSettings {
  const { size, geometry, maxPatchesPerSlide, lossless = false, ...others } = options;
  const tiles = tileSettings(others);
  if (geometry !== undefined || maxPatchesPerSlide !== undefined) {
    throw new RangeError(
      'precut patches are not cut again: the geometry and the maximum number of patches are for slides only',
    );
  }
  if (size !== undefined && !(Number.isSafeInteger(size) && size > 0 && size <= 8192)) {
    throw new RangeError(`the size of patches must be an integer from 1 to 8192 px; got ${size}`);
  }
  const kept = lossless && ({ lossless } as const);
  if (!tiles) return { pixels: size ?? null, ...kept };
  if (size !== undefined) throw new RangeError('give a size or tiles, not both: the side of a tile is the size');
  return { pixels: tiles.side, tiles, ...kept };
}

export function settingsOf(definition: DatasetDefinition, options: CutOptions): CutSettings | PrecutSettings {
  if (definition.unit === 'patches') return precutSettings(options);
  const { size, tile, lossless = false } = options;
  if (size === undefined && tile === undefined && !lossless) return cutSettings(definition, options);
  throw new RangeError(
    `${definition.name} is of slides: their patches' size is that of the geometry, and they are kept as JPEG`,
  );
}

/** Names the folder of a dataset's shards by all that decides how they are cut. */
export function settingsHash(settings: CutSettings | PrecutSettings): string {
  return sha256(canonicalJson({ shardVersion, jpegQuality, ...settings })).slice(0, 12);
}

/** @throws RangeError for a dataset that cannot be compiled whatever its files hold */
export function checkDataset({ definition: { name, unit }, slides }: SlideDataset): void {
  requireSafeName(name, "the dataset's name");
  const one = unit === 'slides' ? 'slide' : 'patch';
  if (slides.length === 0) throw new RangeError(`the dataset ${name} has no ${unit}`);
  for (const { id } of slides) requireSafeName(id, `the ${one} id`);
  requireDistinctNames(
    slides.map(({ id }) => id),
    `the ${one}`,
  );
}

/** As in `by slide: validation 2 %, test 1 %, 3 folds`. */
export function describeSplit({ by, validation, test, folds, stratified }: SplitRule): string {
  const share = (part: number) => `${+(100 * part).toFixed(2)} %`;
  return (
    `by ${by}: validation ${share(validation)}, test ${share(test)}, ${folds} ${folds === 1 ? 'fold' : 'folds'}` +
    (stratified ? ', stratified by class' : '')
  );
}

/** A definition as the report and the card tell of it. */
export function datasetFacts(definition: DatasetDefinition) {
  const { name, title, licence, citation, origin, labels, split, notes, exclusions } = definition;
  const classes = labels.from === 'none' ? [] : [...labels.classes].sort((one, other) => one.label - other.label);
  return {
    dataset: name,
    title,
    licence: licence.name,
    citation,
    origin: origin.name,
    classes: classes.map((one) => one.name),
    split,
    splitRule: describeSplit(split),
    resolved: isResolved(definition),
    knownFaults: [...notes, ...exclusions.map(({ id, reason }) => `${id} is excluded: ${reason}`)],
  };
}

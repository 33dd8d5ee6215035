import { canonicalJson, sha256 } from '../../base/index.js';
import { defaultLimits, type PatchGeometry, type PatchLimits, paperGeometry } from '../../slides/index.js';
import type { DatasetDefinition, SplitRule } from '../definition.js';
import { ignoredValues } from '../ignored-values.js';
import type { LockFile } from '../lock-file.js';
import { definitionSha256, isResolved } from '../read-definition.js';
import { jpegQuality, requireDistinctNames, requireSafeName, shardVersion } from '../shards/index.js';
import type { DatasetSlide } from '../slide-source.js';
import { type TileSettings, tileSettings } from './tiles.js';

/** Input of compiling: a definition, and the slides that it was resolved to, with their files. */
export interface SlideDataset {
  definition: DatasetDefinition;
  slides: readonly DatasetSlide[];
  /** The list's exclusions, for report and card; none by default. */
  excluded?: LockFile['excluded'];
  /** Hash of the list (`LockFile.listSha256`), which identifies datasets compiled from it; none by default. */
  listSha256?: string;
}

/** Hash of all inputs of a dataset except its settings; null if the list has no hash. */
export function inputHash({ definition, slides, listSha256 }: SlideDataset): string | null {
  if (listSha256 === undefined) return null;
  const ids = sha256(canonicalJson(slides.map(({ id }) => id).sort()));
  return sha256(canonicalJson({ list: listSha256, definition: definitionSha256(definition), ids }));
}

/** Settings of cutting. */
export interface CutSettings {
  geometry: PatchGeometry;
  /** Limits of the scores of a patch. */
  limits: PatchLimits;
  /** Maximum number of patches of a slide, drawn at random; null: all. */
  maxPatchesPerSlide: number | null;
  /** Seed of the draw. */
  seed: number | string;
}

/** Options that override the definition. */
export type CutOptions = Partial<PatchLimits> &
  Partial<Omit<CutSettings, 'limits'>> & {
    /** For precut patches only: image size, px; images of another size are resized. */
    size?: number;
    /** For images that are cut into patches: patch size and stride, px, and the treatment of the edge. */
    tile?: number;
    stride?: number;
    edge?: 'shift' | 'drop';
    /** For precut patches only: shards contain PNG instead of JPEG, so that no value changes. */
    lossless?: boolean;
  };

/** Settings of precut patches. */
export interface PrecutSettings {
  /** Image size, px; null: that of the patches, which must all be equal. */
  pixels: number | null;
  /** Only if images are cut into patches. */
  tiles?: TileSettings;
  /** Only if images are kept as PNG. */
  lossless?: true;
}

/** The definition's settings, overridden by options. */
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

/** @throws RangeError for an invalid size, and for options that apply to slides only */
export function precutSettings(options: CutOptions): PrecutSettings {
  const { size, geometry, maxPatchesPerSlide, lossless = false, ...others } = options;
  const tiles = tileSettings(others);
  if (geometry !== undefined || maxPatchesPerSlide !== undefined) {
    throw new RangeError(
      'geometry and maximum number of patches are for slides only: precut patches are not cut again',
    );
  }
  if (size !== undefined && !(Number.isSafeInteger(size) && size > 0 && size <= 8192)) {
    throw new RangeError(`the size of patches must be an integer from 1 to 8192 px; got ${size}`);
  }
  const kept = lossless && ({ lossless } as const);
  if (!tiles) return { pixels: size ?? null, ...kept };
  if (size !== undefined) throw new RangeError('give either a size or a tile size (--size or --tile)');
  return { pixels: tiles.side, tiles, ...kept };
}

export function settingsOf(definition: DatasetDefinition, options: CutOptions): CutSettings | PrecutSettings {
  if (definition.unit === 'patches') return precutSettings(options);
  const { size, tile, lossless = false } = options;
  if (size === undefined && tile === undefined && !lossless) return cutSettings(definition, options);
  throw new RangeError(`${definition.name} has slides: size, tile and lossless are for precut patches only`);
}

/** The name of the folder of a dataset's shards, with a hash of their settings. */
export function settingsHash(settings: CutSettings | PrecutSettings): string {
  return sha256(canonicalJson({ shardVersion, jpegQuality, ...settings })).slice(0, 12);
}

/** @throws RangeError for a dataset that cannot be compiled, whatever its files */
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

/** A definition's facts for report and card. */
export function datasetFacts(definition: DatasetDefinition) {
  const { name, title, licence, citation, origin, labels, split, notes, exclusions } = definition;
  const classes = labels.from === 'none' ? [] : [...labels.classes].sort((one, other) => one.label - other.label);
  const ignored = ignoredValues(labels);
  return {
    dataset: name,
    title,
    licence: licence.name,
    citation,
    origin: origin.name,
    classes: classes.map((one) => one.name),
    ...(ignored.length > 0 && { ignoredMaskValues: ignored }),
    split,
    splitRule: describeSplit(split),
    resolved: isResolved(definition),
    knownFaults: [...notes, ...exclusions.map(({ id, reason }) => `${id} is excluded: ${reason}`)],
  };
}

import { canonicalJson, sha256 } from '../../runs/index.js';
import { defaultLimits, type PatchGeometry, type PatchLimits, paperGeometry } from '../../slides/index.js';
import type { DatasetDefinition } from '../definition.js';
import { requireDistinctNames, requireSafeName, shardVersion } from '../shards/index.js';
import type { DatasetSlide } from '../slide-source.js';

/** What is to be compiled: a definition, and the slides that it was resolved to, their files in place. */
export interface SlideDataset {
  definition: DatasetDefinition;
  slides: readonly DatasetSlide[];
}

/** What decides how patches are cut. */
export interface CutSettings {
  geometry: PatchGeometry;
  /** What a place must score to give a patch. */
  limits: PatchLimits;
  /** At most so many patches of a slide, drawn at random; null: all. */
  mostPatchesPerSlide: number | null;
  /** Decides which are drawn. */
  seed: number | string;
}

/** What can be asked for otherwise than the definition says. */
export type CutOptions = Partial<PatchLimits> & Partial<Omit<CutSettings, 'limits'>>;

export const jpegQuality = 90;

/** The definition's settings, with what is asked for otherwise. */
export function cutSettings({ geometry: defined }: DatasetDefinition, options: CutOptions): CutSettings {
  const geometry = options.geometry ?? defined ?? paperGeometry;
  const usual = { ...defaultLimits, minimumTissue: defined?.minimumTissue ?? defaultLimits.minimumTissue };
  const limits = Object.fromEntries(
    Object.entries(usual).map(([name, value]) => [name, options[name as keyof PatchLimits] ?? value]),
  ) as unknown as PatchLimits;
  const mostPatchesPerSlide =
    options.mostPatchesPerSlide === undefined ? (defined?.mostPatchesPerSlide ?? null) : options.mostPatchesPerSlide;
  return {
    geometry: { micrometers: geometry.micrometers, pixels: geometry.pixels },
    limits,
    mostPatchesPerSlide,
    seed: options.seed ?? 0,
  };
}

/** Names the folder of a dataset's shards by all that decides how they are cut. */
export function settingsHash(settings: CutSettings): string {
  return sha256(canonicalJson({ shardVersion, jpegQuality, ...settings })).slice(0, 12);
}

/** @throws RangeError for a dataset that cannot be compiled whatever its files hold */
export function checkDataset({ definition: { name, unit }, slides }: SlideDataset): void {
  requireSafeName(name, "the dataset's name");
  if (unit !== 'slides') throw new RangeError(`the dataset ${name} is of ready patches; compiling cuts slides`);
  if (slides.length === 0) throw new RangeError(`the dataset ${name} has no slides`);
  for (const { id } of slides) requireSafeName(id, 'the slide id');
  requireDistinctNames(
    slides.map(({ id }) => id),
    'the slide',
  );
}

/** A definition as the report and the card tell of it. */
export function aboutDataset(definition: DatasetDefinition) {
  const { name, title, licence, citation, origin, source, split, notes, exclusions } = definition;
  const share = (part: number) => `${+(100 * part).toFixed(2)} %`;
  return {
    dataset: name,
    title,
    licence: licence.name,
    citation,
    origin: origin.name,
    split,
    splitRule:
      `by ${split.by}: validation ${share(split.validation)}, test ${share(split.test)}, ${split.folds} folds` +
      (split.stratified ? ', stratified by class' : ''),
    // What a user has in a folder is its own list; a source's list has a hash once it has been resolved.
    resolved: ['folder', 'csv', 'slides'].includes(source.kind) || definition.resolvedSha256 !== null,
    knownFaults: [...notes, ...exclusions.map(({ id, reason }) => `${id} is left out: ${reason}`)],
  };
}
